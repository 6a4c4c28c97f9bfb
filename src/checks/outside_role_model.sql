-- ---
-- id = "outside-role-model"
-- title = "Access that no role of its holder gives"
-- severity = "medium"
-- confidence = "medium"
-- grain = "account"
-- subject = "edge"
-- needs = ["accounts", "identities", "memberships|grants", "role_model"]
-- message = "`{target_name}` of `{login}` lies {extent} what the roles of its holder give: {excess}"
-- covered_by = ["leaver-access-unremoved"]
-- description = """
-- Each grant and each own membership of an account, beside the roles that are due to the person behind it by title,
-- organisational unit or name. A membership is inside if a role names the group or everything to which the group
-- leads; if roles give only some of it, the finding names the excess. It is certain if it lies outside for everybody
-- to whom the account may belong, possible if for some. Of a person to whom no role is due the catalogue says nothing:
-- unknown, unless asked for. Only systems in which the catalogue gives some right are judged. A role that gives every
-- right of a system hides everything that its holders have there; the report names such roles."""
-- remedy = """
-- If it is due, give the role catalogue the right that is missing from it; of a group that gives too much, use one that
-- gives less."""
-- false_positives = """
-- Access that was approved beside the roles: record the approval, or except it with an owner and an end. A title or
-- unit that people list and catalogue spell differently."""
-- controls = [
--     "nist-800-53:AC-6", "nist-800-53:AC-2", "nist-csf:PR.AA-05", "iso-27001:5.15", "iso-27001:5.18", "soc2:CC6.3",
--     "pci-dss:7.2.1", "pci-dss:7.2.2", "cis:6.8", "ccm:IAM-05"]
-- [parameters.report_no_role]
-- type = "boolean"
-- default = false
-- doc = "report the access of people to whom no role is due, too"
-- ---
WITH judged AS (
    SELECT f.system_ix AS system_ix, f.account_ix AS account_ix, f.edge AS edge, f.edge_ix AS edge_ix,
        COUNT(*) FILTER (WHERE f.fit IN ('outside', 'partly') OR (f.fit = 'no_role' AND :report_no_role)) AS beyond,
        COUNT(*) FILTER (WHERE f.fit = 'partly') AS partly, COUNT(*) FILTER (WHERE f.fit = 'no_role') AS without_role,
        MIN(CASE WHEN f.fit <> 'inside' THEN f.excess END) AS excess, MAX(CAST(f.excess_count AS BIGINT)) AS excess_count,
        MIN(f.identity_name) AS identity_name, MIN(f.title) AS holder_title, MIN(f.org_unit) AS org_unit, MIN(f.roles) AS roles,
        MAX(CAST(f.roles_due AS BIGINT)) AS roles_due, COUNT(*) FILTER (WHERE f.catch_all) AS catch_all,
        MIN(f.target_name) AS target_name, MIN(f.target) AS target, MIN(f.level) AS level, MIN(f.granted_at) AS granted_at
    FROM access_fit f
    GROUP BY f.system_ix, f.account_ix, f.edge, f.edge_ix
)
SELECT j.system_ix AS system_ix, j.account_ix AS account_ix, j.edge AS edge, j.edge_ix AS edge_ix,
    CASE WHEN j.beyond > 0 THEN 'finding' WHEN j.without_role > 0 THEN 'unknown' ELSE 'ok' END AS outcome,
    CASE WHEN j.beyond = CAST(a.candidates AS BIGINT) THEN 'certain' ELSE 'possible' END AS certainty,
    CASE WHEN j.partly = j.beyond THEN 'partly outside' ELSE 'outside' END AS extent,
    a.login AS login, a.status AS status, COALESCE(j.target_name, j.target) AS target_name, j.level AS level, j.excess AS excess,
    j.excess_count AS excess_count, j.roles AS roles, j.roles_due AS roles_due, j.identity_name AS identity_name,
    j.holder_title AS holder_title, j.org_unit AS org_unit, a.candidates AS candidates, j.beyond AS candidates_beyond,
    j.catch_all AS candidates_inside_by_catch_all, j.granted_at AS granted_at, j.granted_at AS since
FROM judged j
JOIN accounts a ON a.system_ix = j.system_ix AND a.account_ix = j.account_ix
WHERE a.status <> 'deleted'
