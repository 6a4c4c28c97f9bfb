-- ---
-- id = "leaver-access-unremoved"
-- title = "Leaver's access that was not taken away"
-- severity = "high"
-- confidence = "high"
-- grain = "account"
-- subject = "edge"
-- needs = ["accounts", "identities", "memberships|grants"]
-- message = "`{target_name}` is still held by the account `{login}` of somebody who had left by {left_by}"
-- description = """
-- Each grant and each own membership that an account still holds after every identity it may belong to has left
-- (certain) or some have (possible), whether or not the account is disabled. A group inside a group counts once,
-- at the account's own outermost membership. Primary and rule-made memberships are left out: nobody can take them
-- away one by one."""
-- remedy = """
-- Remove the grant or membership that is named; disabling the account alone leaves it to whoever enables the
-- account again."""
-- false_positives = """
-- Systems that keep memberships of disabled accounts on purpose and clear them after a fixed time: except them
-- with that time."""
-- controls = [
--     "nist-800-53:PS-4", "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "iso-27001:6.5",
--     "soc2:CC6.2", "pci-dss:8.2.5", "cis:6.2", "ccm:IAM-07", "nist-800-53:AC-6(7)"]
-- ---
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.standing = 'left') AS gone, COUNT(*) FILTER (WHERE c.leaves_later) AS later,
        MIN(c.left_by) AS left_by, MIN(c.known_by) AS known_by
    FROM candidates c
    WHERE c.identity_kind IN ('person', 'external')
    GROUP BY c.system_ix, c.account_ix
)
SELECT x.system_ix AS system_ix, x.account_ix AS account_ix, x.edge AS edge, x.edge_ix AS edge_ix,
    CASE WHEN h.gone > 0 THEN 'finding' WHEN h.later > 0 THEN 'not_yet_observable' ELSE 'ok' END AS outcome,
    CASE WHEN h.gone = h.candidates THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.status AS status, x.target_name AS target_name, x.level AS level, x.risks AS risks, x.path AS path,
    h.candidates AS candidates, h.gone AS candidates_left, h.left_by AS left_by, h.left_by AS since, x.granted_at AS granted_at
FROM access x
JOIN accounts a ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix
JOIN held h ON h.system_ix = x.system_ix AND h.account_ix = x.account_ix
WHERE a.status <> 'deleted'
