-- ---
-- id = "out-of-band-grant"
-- title = "Access given past the approval process"
-- severity = "medium"
-- confidence = "medium"
-- grain = "account"
-- subject = "edge"
-- needs = ["accounts", "memberships|grants", "requests"]
-- covered_by = ["privileged-unapproved", "regrant", "ghost-account", "orphan-account", "unregistered-nonhuman"]
-- message = "`{holder}` holds `{target_name}` since {since}, and the requests say of it: {approval}"
-- description = """
-- A grant or own membership of an account that began inside the time that the requests cover, and no approval fits
-- it: no request is for it, the one that is was rejected or not decided, its approval had ended before the access
-- began, or came after. When the access began is what its system states, else the interval between the last complete
-- snapshot without it and the first with it. What began earlier, or at a time that nobody knows, is counted apart. An
-- approval for the account that names no right is taken as approval. Primary and dynamic memberships, and accounts
-- that the vendor made, are left out."""
-- remedy = """
-- Ask who gave it. Take the access away, or have it approved, and close the way past the process."""
-- false_positives = """
-- Rights that come with a role or with joining and need no request; approvals kept elsewhere; tickets that call the
-- right by another name: add the list, or an `[[entitlement_alias]]`. What was approved late is approved by now, and
-- was given too early all the same."""
-- controls = [
--     "nist-800-53:AC-2", "nist-800-53:CM-3", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.3", "soc2:CC8.1", "pci-dss:7.2.3",
--     "cis:6.1", "ccm:IAM-06"]
-- ---
SELECT x.system_ix AS system_ix, x.account_ix AS account_ix, x.edge AS edge, x.edge_ix AS edge_ix,
    CASE
        WHEN p.approval IN ('approved', 'account_level') THEN 'ok'
        WHEN p.approval IS NULL OR p.approval IN ('before_coverage', 'not_covered') THEN 'before_coverage'
        WHEN l.covers_from IS NULL OR p.began_by IS NULL OR p.began_by > l.covers_to THEN 'before_coverage'
        WHEN p.began_exact AND p.began_by < l.covers_from THEN 'before_coverage'
        WHEN NOT p.began_exact AND (p.began_after IS NULL OR p.began_after < l.covers_from) THEN 'before_coverage'
        ELSE 'finding'
    END AS outcome,
    COALESCE(a.login, a.account) AS holder, COALESCE(x.target_name, x.target) AS target_name, x.level AS level,
    p.approval AS approval, p.how AS how, p.request AS request,
    p.request_system_ix AS request_system_ix, p.approver_ref AS approver, p.decided_at AS decided_at,
    p.valid_to AS valid_to, p.began_after AS began_after, p.began_by AS began_by, p.began_exact AS began_exact,
    h.first_seen_by AS first_seen_by, h.regranted AS regranted, c.change AS change, c.after_at AS change_after,
    p.began_by AS since
FROM access x
JOIN accounts a ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix
LEFT JOIN approvals p ON p.system_ix = x.system_ix AND p.account_ix = x.account_ix AND p.edge = x.edge AND p.edge_ix = x.edge_ix
JOIN edge_history h ON h.system_ix = x.system_ix AND h.edge = x.edge AND h.edge_ix = x.edge_ix
LEFT JOIN log_coverage l ON l.system_ix = x.system_ix AND l.log = 'requests'
LEFT JOIN changes c ON c.system_ix = x.system_ix AND c.object = x.edge AND c.edge_ix = x.edge_ix
WHERE a.status <> 'deleted' AND a.kind NOT IN ('system', 'device')
