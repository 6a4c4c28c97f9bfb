-- ---
-- id = "privileged-unapproved"
-- title = "Privileged access that nobody approved"
-- severity = "high"
-- confidence = "medium"
-- grain = "account"
-- subject = "edge"
-- needs = ["accounts", "memberships|grants", "requests"]
-- covered_by = ["ghost-account", "orphan-account", "unregistered-nonhuman"]
-- message = "`{login}` holds `{target_name}` ({level}), and the requests say of it: {approval}"
-- description = """
-- A grant or own membership that leads to administrative rights, of an account that its system would let in, and no
-- request approves it: none is for it, the one that is was rejected or never decided, or its approval had ended
-- before the access began. Only what began inside the time that the requests cover is judged; what began before, or
-- at a time that nobody knows, is counted apart. An approval for the account that names no right is taken as
-- approval."""
-- remedy = """
-- Take the access away, or have it approved now by whoever may: a late approval is recorded as late."""
-- false_positives = """
-- Approvals kept elsewhere, and tickets that call the right by another name: add the list, or an
-- `[[entitlement_alias]]`."""
-- controls = [
--     "nist-800-53:AC-2", "nist-800-53:AC-6", "nist-csf:PR.AA-05", "iso-27001:8.2", "iso-27001:5.18", "soc2:CC6.3",
--     "pci-dss:7.2.3", "cis:6.1", "ccm:IAM-10"]
-- ---
SELECT x.system_ix AS system_ix, x.account_ix AS account_ix, x.edge AS edge, x.edge_ix AS edge_ix,
    CASE
        WHEN p.approval IN ('none', 'rejected', 'pending', 'expired') THEN 'finding'
        WHEN p.approval IS NULL OR p.approval IN ('before_coverage', 'not_covered') THEN 'before_coverage'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN x.conditional THEN 'possible' ELSE 'certain' END AS certainty,
    a.login AS login, x.target_name AS target_name, x.level AS level, x.path AS path, p.approval AS approval, p.how AS how,
    p.request AS request, p.request_system_ix AS request_system_ix, p.approver_ref AS approver, p.decided_at AS decided_at,
    p.valid_to AS valid_to, p.began_after AS began_after, p.began_by AS began_by, p.began_by AS since
FROM access x
JOIN accounts a ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix
LEFT JOIN approvals p ON p.system_ix = x.system_ix AND p.account_ix = x.account_ix AND p.edge = x.edge AND p.edge_ix = x.edge_ix
WHERE x.level = 'admin' AND a.can_authenticate <> 'no' AND a.status <> 'deleted' AND a.kind NOT IN ('system', 'device')
