-- ---
-- id = "ghost-account"
-- title = "Leaver's account that still works"
-- severity = "critical"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` still works although its owner had left by {left_by}"
-- description = """
-- Every identity that the account may belong to has left (certain), or some of them have (possible), and its
-- system would still let it in. The end counts only if it took effect before the account was observed; an end at
-- or after that is not yet observable. Workloads are asked about by `retired-workload-live`."""
-- remedy = """
-- Disable the account, then end its sessions and tokens."""
-- false_positives = """
-- A rehire whose new employment the authority has not entered yet; an account handed over to a successor without a
-- change of owner."""
-- controls = [
--     "nist-800-53:PS-4", "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "iso-27001:6.5",
--     "soc2:CC6.2", "pci-dss:8.2.5", "cis:6.2", "ccm:IAM-07"]
-- ---
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.standing = 'left') AS gone, COUNT(*) FILTER (WHERE c.leaves_later) AS later,
        MIN(c.left_by) AS left_by, MIN(c.known_by) AS known_by
    FROM candidates c
    WHERE c.identity_kind IN ('person', 'external')
    GROUP BY c.system_ix, c.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN h.gone > 0 AND a.can_authenticate <> 'no' THEN 'finding'
        WHEN h.later > 0 THEN 'not_yet_observable'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN h.gone = h.candidates AND a.can_authenticate = 'yes' THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, a.can_authenticate AS can_authenticate, a.can_authenticate_why AS can_authenticate_why,
    h.candidates AS candidates, h.gone AS candidates_left, h.left_by AS left_by, h.known_by AS known_by, h.left_by AS since,
    a.last_used_at AS last_used_at
FROM accounts a
JOIN held h ON h.system_ix = a.system_ix AND h.account_ix = a.account_ix
WHERE a.status <> 'deleted' AND a.kind <> 'system' AND a.kind <> 'device'
