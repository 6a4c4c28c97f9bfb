-- ---
-- id = "dangling-grant"
-- title = "Access of somebody who no longer exists"
-- severity = "medium"
-- confidence = "high"
-- grain = "run"
-- subject = "edge"
-- needs = ["memberships|grants"]
-- message = "`{principal}` {missing} and is still named for `{target_name}`"
-- description = """
-- A membership, a trust or a grant names a principal that the vendor itself shows as deleted (certain), or one
-- that should be in the same export and is not (possible). A principal of another system or tenant is not judged."""
-- remedy = """
-- Remove the entry. If the name comes back to life, so does its access."""
-- false_positives = """
-- Members that lie outside the exported part of the directory: export from its root. These are possible, not
-- certain."""
-- controls = [
--     "nist-800-53:AC-2", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.2", "owasp-nhi:NHI1:2025"]
-- ---
SELECT m.system_ix AS system_ix, m.account_ix AS account_ix, 'membership' AS edge, m.membership_ix AS edge_ix,
    CASE WHEN m.principal_kind IN ('deleted', 'unresolved') THEN 'finding' ELSE 'ok' END AS outcome,
    CASE WHEN m.principal_kind = 'deleted' THEN 'certain' ELSE 'possible' END AS certainty,
    m.principal AS principal, m.principal_kind AS principal_kind, m.group_name AS target_name, m.level AS level,
    m.conditional AS conditional,
    CASE WHEN m.principal_kind = 'deleted' THEN 'no longer exists' ELSE 'is not in the export' END AS missing
FROM memberships m
WHERE m.principal_kind NOT IN ('external', 'wildcard', 'root', 'federated', 'service')
UNION ALL
SELECT g.system_ix AS system_ix, g.account_ix AS account_ix, 'grant' AS edge, g.grant_ix AS edge_ix,
    CASE WHEN g.principal_kind IN ('deleted', 'unresolved') THEN 'finding' ELSE 'ok' END AS outcome,
    CASE WHEN g.principal_kind = 'deleted' THEN 'certain' ELSE 'possible' END AS certainty,
    g.principal AS principal, g.principal_kind AS principal_kind, g.entitlement_name AS target_name, g.level AS level,
    g.conditional AS conditional,
    CASE WHEN g.principal_kind = 'deleted' THEN 'no longer exists' ELSE 'is not in the export' END AS missing
FROM grants g
WHERE g.principal_kind NOT IN ('external', 'wildcard', 'root', 'federated', 'service')
