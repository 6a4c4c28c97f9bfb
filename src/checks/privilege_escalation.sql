-- ---
-- id = "privilege-escalation"
-- title = "Rights that lead to administration"
-- severity = "high"
-- confidence = "medium"
-- grain = "account"
-- subject = "account"
-- needs = ["statements", "grants"]
-- message = "`{login}` can make itself an administrator by {method}"
-- description = """
-- All policies of an AWS user (its own and those of its groups) or role are put together, less every Deny and within
-- the permissions boundary: is one of the known methods open by which rights become administration, itself or over
-- roles that it may assume, pass or reach? Certain where the export holds all that the method needs; possible where a
-- condition, a resource or what no IAM export shows decides: the row says which. A method by which nothing in the
-- export gains is no finding. Somebody who is an administrator already is none either, unless asked for. A user or role
-- with a policy that is not in the export is unknown. Service control policies count where they are given."""
-- remedy = """
-- Take away what `attachments` names: it ends the method. `holdover query` on `escalations` lists the other methods of
-- the same account."""
-- false_positives = """
-- Deployment and administration roles that are meant to reach every right, and roles that people are meant to assume
-- for it: except them, with an owner and an end. A service control policy that was not exported may forbid what the
-- account's own policies allow."""
-- controls = [
--     "nist-800-53:AC-6", "nist-800-53:AC-6(7)", "nist-csf:PR.AA-05", "iso-27001:8.2", "soc2:CC6.3", "pci-dss:7.2.2",
--     "ccm:IAM-05", "owasp-nhi:NHI5:2025"]
-- [parameters.include_admins]
-- type = "boolean"
-- default = false
-- doc = "report those who are administrators already, too"
-- [parameters.include_latent]
-- type = "boolean"
-- default = false
-- doc = "report methods by which nothing in the export gains as possible, too"
-- ---
WITH ways AS (
    SELECT e.system_ix AS system_ix, e.account_ix AS account_ix,
        COUNT(*) FILTER (WHERE e.risk = 'privilege-escalation' AND e.verdict IN ('certain', 'possible')) AS methods
    FROM escalations e
    GROUP BY e.system_ix, e.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN e.risk = 'admin' AND :include_admins THEN 'finding'
        WHEN e.risk = 'privilege-escalation' AND e.verdict IN ('certain', 'possible') THEN 'finding'
        WHEN e.risk = 'privilege-escalation' AND e.verdict = 'latent' AND :include_latent THEN 'finding'
        WHEN e.risk = 'unknown' THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN e.verdict = 'certain' THEN 'certain' ELSE 'possible' END AS certainty,
    a.login AS login, a.kind AS kind, e.method AS method, w.methods AS methods, e.target AS target, e.path AS path,
    e.condition AS condition, e.limits AS limits, e.attachments AS attachments
FROM accounts a
JOIN systems_seen s ON s.system_ix = a.system_ix
LEFT JOIN escalations e ON e.system_ix = a.system_ix AND e.account_ix = a.account_ix AND e.rank = 0
LEFT JOIN ways w ON w.system_ix = a.system_ix AND w.account_ix = a.account_ix
WHERE s.connector = 'aws-iam' AND a.kind <> 'system' AND a.status <> 'deleted'
