-- ---
-- id = "regrant"
-- title = "Access that was taken away and is back"
-- severity = "high"
-- confidence = "medium"
-- grain = "account"
-- subject = "edge"
-- needs = ["memberships|grants"]
-- covered_by = ["ghost-account", "orphan-account", "unregistered-nonhuman"]
-- message = "`{holder}` holds `{target_name}` again, which was taken away by {gone_at}"
-- description = """
-- A grant or membership that an earlier snapshot holds, that a complete snapshot after it does not hold, and that is
-- there now; or one that was given after a ticket for its end was closed, or a review had decided on its end. Who took it away had a reason, and no
-- request since then approves that it is back. Only stored snapshots can show it: what was held since the first of
-- them, and is still held, is fine; where none but the current one speaks of it, nothing can be said, and it is
-- counted as before coverage. Primary and dynamic memberships, and what the vendor manages, are left out."""
-- remedy = """
-- Find out who gave it back and why: take it away for good, or have it approved. If something sets it again and again,
-- correct that."""
-- false_positives = """
-- Access that comes and goes by design, such as elevation for some hours; somebody who came back from leave or was
-- hired again; an export that was incomplete without saying so, whose end of a held membership is none. The first and
-- the last are reported as possible where the export states an end, or a start before the gap."""
-- controls = [
--     "nist-800-53:AC-2", "nist-800-53:AC-2(4)", "nist-800-53:CM-3", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.3",
--     "pci-dss:7.2.4", "cis:6.1", "ccm:IAM-08"]
-- ---
WITH edges AS (
    SELECT m.system_ix AS system_ix, 'membership' AS edge, m.membership_ix AS edge_ix, m.account_ix AS account_ix,
        m.principal AS principal, COALESCE(m.group_name, m.group_id) AS target_name, m.level AS level,
        m.granted_at AS granted_at, m.expires_at AS expires_at, m.observed_at AS observed_at
    FROM memberships m
    WHERE m.kind IN ('direct', 'assume')
    UNION ALL
    SELECT g.system_ix AS system_ix, 'grant' AS edge, g.grant_ix AS edge_ix, g.account_ix AS account_ix,
        g.principal AS principal, COALESCE(g.entitlement_name, g.entitlement) AS target_name, g.level AS level,
        g.granted_at AS granted_at, g.expires_at AS expires_at, g.observed_at AS observed_at
    FROM grants g
    WHERE g.effect = 'allow' AND NOT g.principal_vendor
),
revoked AS (
    SELECT r.system_ix AS system_ix, r.edge AS edge, r.edge_ix AS edge_ix, r.request AS request, r.request_system_ix AS request_system_ix,
        r.closed_at AS closed_at,
        ROW_NUMBER() OVER (PARTITION BY r.system_ix, r.account_ix, r.edge, r.edge_ix
            ORDER BY r.closed_at DESC NULLS LAST, r.request_system_ix, r.request, r.system_ix, r.account_ix, r.edge NULLS LAST,
                r.edge_ix NULLS LAST) AS place
    FROM revocations r
    WHERE r.regranted AND r.edge IS NOT NULL
)
SELECT e.system_ix AS system_ix, e.account_ix AS account_ix, e.edge AS edge, e.edge_ix AS edge_ix,
    CASE
        WHEN NOT h.regranted AND v.request IS NULL AND h.revoked_at IS NULL THEN
            CASE WHEN h.last_absent IS NULL AND h.first_seen_by = e.observed_at THEN 'before_coverage' ELSE 'ok' END
        WHEN p.approval IN ('approved', 'account_level', 'late') AND (h.held_until IS NULL OR p.decided_at > h.held_until)
            AND (v.closed_at IS NULL OR p.decided_at > v.closed_at)
            AND (h.revoked_at IS NULL OR p.decided_at > h.revoked_at) THEN 'ok'
        ELSE 'finding'
    END AS outcome,
    CASE
        WHEN e.expires_at IS NOT NULL THEN 'possible'
        WHEN v.request IS NULL AND h.revoked_at IS NULL AND e.granted_at <= h.last_absent THEN 'possible'
        WHEN p.approval IN ('approved', 'account_level', 'late') AND p.decided_at IS NULL THEN 'possible'
        ELSE 'certain'
    END AS certainty,
    COALESCE(a.login, e.principal) AS holder, e.target_name AS target_name, e.level AS level,
    CASE WHEN h.regranted THEN h.last_absent ELSE COALESCE(v.closed_at, h.revoked_at) END AS gone_at, h.first_seen_by AS first_seen_by,
    h.held_until AS held_until, h.last_absent AS last_absent, h.since_by AS back_by, e.granted_at AS granted_at,
    e.expires_at AS expires_at, v.request AS revoke_request, v.request_system_ix AS revoke_request_system_ix, v.closed_at AS revoke_closed_at,
    h.revoked_by AS revoke_review, h.revoked_at AS reviewed_at, p.approval AS approval,
    p.request AS request, p.request_system_ix AS request_system_ix, p.decided_at AS decided_at,
    CASE WHEN e.granted_at > h.last_absent THEN e.granted_at WHEN h.regranted THEN h.since_by ELSE e.granted_at END AS since
FROM edges e
JOIN edge_history h ON h.system_ix = e.system_ix AND h.edge = e.edge AND h.edge_ix = e.edge_ix
LEFT JOIN accounts a ON a.system_ix = e.system_ix AND a.account_ix = e.account_ix
LEFT JOIN approvals p ON p.system_ix = e.system_ix AND p.account_ix = e.account_ix AND p.edge = e.edge AND p.edge_ix = e.edge_ix
LEFT JOIN revoked v ON v.system_ix = e.system_ix AND v.edge = e.edge AND v.edge_ix = e.edge_ix AND v.place = 1
WHERE a.status IS NULL OR (a.status <> 'deleted' AND a.kind NOT IN ('system', 'device'))
