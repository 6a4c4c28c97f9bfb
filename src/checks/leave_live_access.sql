-- ---
-- id = "leave-live-access"
-- title = "Access of somebody on leave"
-- severity = "medium"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` still works while its owner is on leave"
-- covered_by = ["ghost-account"]
-- description = """
-- The person is on leave, which is not the same as having left, and the account would still be let in."""
-- remedy = """
-- Suspend the account for the time of the leave, or record that the access is wanted."""
-- false_positives = """
-- Leave during which access is agreed (part-time parental leave); statuses that the mapping calls leave and the
-- company does not."""
-- controls = [
--     "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.3", "cis:5.3"]
-- ---
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.standing = 'suspended') AS away
    FROM candidates c
    GROUP BY c.system_ix, c.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE WHEN h.away > 0 AND a.can_authenticate <> 'no' THEN 'finding' ELSE 'ok' END AS outcome,
    CASE WHEN h.away = h.candidates AND a.can_authenticate = 'yes' THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, a.can_authenticate AS can_authenticate, a.can_authenticate_why AS can_authenticate_why,
    h.candidates AS candidates, h.away AS candidates_on_leave, a.last_used_at AS last_used_at
FROM accounts a
JOIN held h ON h.system_ix = a.system_ix AND h.account_ix = a.account_ix
WHERE a.status <> 'deleted' AND a.kind <> 'system' AND a.kind <> 'device'
