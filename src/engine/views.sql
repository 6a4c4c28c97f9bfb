-- The views that checks read, over the tables of the snapshots (`snapshot_*`: all current snapshots together, with
-- `system_ix` in front) and of the run. Each statement runs unchanged on DuckDB and Spark.

-- view accounts
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix, s.system AS system, a.native_id AS account,
    a.login AS login, a.login_norm AS login_norm, a.display_name AS display_name,
    a.email AS email, a.email_norm AS email_norm, a.employee_ref AS employee_ref, a.owner_ref AS owner_ref,
    t.owner_identity_ix AS owner_identity_ix, t.kind AS kind, t.kind_from AS kind_from, a.status AS status,
    t.match_state AS match_state, t.candidates AS candidates, t.can_authenticate AS can_authenticate,
    t.can_authenticate_why AS can_authenticate_why, a.created_at AS created_at, a.last_used_at AS last_used_at,
    a.last_used_until AS last_used_until, a.use_state AS use_state, a.use_window_from AS use_window_from,
    a.mfa_state AS mfa_state, a.expires_at AS expires_at, a.environment AS environment, s.team AS team,
    s.observed_at AS observed_at
FROM snapshot_accounts a
JOIN systems_seen s ON s.system_ix = a.system_ix
JOIN account_state t ON t.system_ix = a.system_ix AND t.account_ix = a.account_ix;

-- view candidates
SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, c.rank AS rank, c.identity_ix AS identity_ix,
    i.identity AS identity, i.display_name AS identity_name, i.kind AS identity_kind, c.score AS score, c.rule AS rule,
    c.state AS candidate_state, c.standing AS standing, c.left_after AS left_after, c.left_by AS left_by, c.left_exact AS left_exact,
    c.known_after AS known_after, c.known_by AS known_by, (c.leaves_later AND i.left_by IS NOT NULL) AS leaves_later
FROM account_identity c
JOIN identities_seen i ON i.identity_ix = c.identity_ix;

-- view access
SELECT m.system_ix AS system_ix, m.account_ix AS account_ix, 'membership' AS edge, m.membership_ix AS edge_ix,
    g.native_id AS target, g.name AS target_name, r.level AS level, r.risks AS risks,
    (r.conditional OR m.condition IS NOT NULL) AS conditional, r.path AS path, CAST(NULL AS STRING) AS resource,
    m.granted_at AS granted_at, m.expires_at AS expires_at, m.request_ref AS request_ref, s.observed_at AS observed_at
FROM snapshot_memberships m
JOIN systems_seen s ON s.system_ix = m.system_ix
JOIN snapshot_groups g ON g.system_ix = m.system_ix AND g.group_ix = m.group_ix
JOIN group_reach r ON r.system_ix = m.system_ix AND r.group_ix = m.group_ix
WHERE m.account_ix IS NOT NULL AND m.kind IN ('direct', 'assume')
UNION ALL
SELECT x.system_ix AS system_ix, x.account_ix AS account_ix, 'grant' AS edge, x.grant_ix AS edge_ix,
    e.native_id AS target, e.name AS target_name, e.level AS level, e.risks AS risks,
    (e.conditional OR x.condition IS NOT NULL) AS conditional, CAST(NULL AS STRING) AS path, o.native_id AS resource,
    x.granted_at AS granted_at, x.expires_at AS expires_at, x.request_ref AS request_ref, s.observed_at AS observed_at
FROM snapshot_grants x
JOIN systems_seen s ON s.system_ix = x.system_ix
JOIN snapshot_entitlements e ON e.system_ix = x.system_ix AND e.entitlement_ix = x.entitlement_ix
LEFT JOIN snapshot_resources o ON o.system_ix = x.system_ix AND o.resource_ix = x.resource_ix
WHERE x.account_ix IS NOT NULL AND x.effect = 'allow';

-- view access_fit
SELECT f.system_ix AS system_ix, f.account_ix AS account_ix, f.edge AS edge, f.edge_ix AS edge_ix, f.rank AS rank,
    f.identity_ix AS identity_ix, i.display_name AS identity_name, i.title AS title, i.org_unit AS org_unit,
    COALESCE(g.native_id, e.native_id) AS target, CASE WHEN f.edge = 'membership' THEN g.name ELSE e.name END AS target_name,
    COALESCE(r.level, e.level) AS level, o.native_id AS resource, COALESCE(m.granted_at, x.granted_at) AS granted_at,
    f.fit AS fit, f.roles_due AS roles_due, f.roles AS roles, f.excess AS excess, f.excess_count AS excess_count,
    f.catch_all AS catch_all, s.observed_at AS observed_at
FROM role_fit f
JOIN systems_seen s ON s.system_ix = f.system_ix
JOIN identities_seen i ON i.identity_ix = f.identity_ix
LEFT JOIN snapshot_memberships m ON m.system_ix = f.system_ix AND m.membership_ix = f.edge_ix AND f.edge = 'membership'
LEFT JOIN snapshot_groups g ON g.system_ix = f.system_ix AND g.group_ix = m.group_ix
LEFT JOIN group_reach r ON r.system_ix = f.system_ix AND r.group_ix = m.group_ix
LEFT JOIN snapshot_grants x ON x.system_ix = f.system_ix AND x.grant_ix = f.edge_ix AND f.edge = 'grant'
LEFT JOIN snapshot_entitlements e ON e.system_ix = f.system_ix AND e.entitlement_ix = x.entitlement_ix
LEFT JOIN snapshot_resources o ON o.system_ix = f.system_ix AND o.resource_ix = x.resource_ix;

-- view moved_access
SELECT f.system_ix AS system_ix, f.account_ix AS account_ix, f.edge AS edge, f.edge_ix AS edge_ix, f.rank AS rank,
    a.login AS login, a.status AS status, t.candidates AS candidates, f.identity_ix AS identity_ix, i.display_name AS identity_name,
    COALESCE(g.native_id, e.native_id) AS target, CASE WHEN f.edge = 'membership' THEN g.name ELSE e.name END AS target_name,
    COALESCE(r.level, e.level) AS level, o.native_id AS resource, COALESCE(m.granted_at, x.granted_at) AS granted_at,
    f.moved_after AS moved_after, f.moved_by AS moved_by,
    (f.moved_by < s.observed_at OR (f.moved_after IS NOT NULL AND f.moved_by = s.observed_at)) AS took_effect,
    f.from_title AS from_title, f.to_title AS to_title, f.from_unit AS from_unit, f.to_unit AS to_unit,
    f.fit_before AS fit_before, f.roles_before AS roles_before, f.fit_now AS fit_now, f.began AS began, f.began_by AS began_by,
    s.observed_at AS observed_at
FROM mover_access f
JOIN snapshot_accounts a ON a.system_ix = f.system_ix AND a.account_ix = f.account_ix
JOIN account_state t ON t.system_ix = f.system_ix AND t.account_ix = f.account_ix
JOIN systems_seen s ON s.system_ix = f.system_ix
JOIN identities_seen i ON i.identity_ix = f.identity_ix
LEFT JOIN snapshot_memberships m ON m.system_ix = f.system_ix AND m.membership_ix = f.edge_ix AND f.edge = 'membership'
LEFT JOIN snapshot_groups g ON g.system_ix = f.system_ix AND g.group_ix = m.group_ix
LEFT JOIN group_reach r ON r.system_ix = f.system_ix AND r.group_ix = m.group_ix
LEFT JOIN snapshot_grants x ON x.system_ix = f.system_ix AND x.grant_ix = f.edge_ix AND f.edge = 'grant'
LEFT JOIN snapshot_entitlements e ON e.system_ix = f.system_ix AND e.entitlement_ix = x.entitlement_ix
LEFT JOIN snapshot_resources o ON o.system_ix = f.system_ix AND o.resource_ix = x.resource_ix;

-- view escalations
SELECT r.system_ix AS system_ix, r.account_ix AS account_ix, r.method AS method, r.risk AS risk, r.verdict AS verdict,
    r.rank AS rank, r.actions AS actions, r.target AS target, r.target_name AS target_name, r.path AS path,
    r.limits AS limits, r.condition AS condition, r.attachments AS attachments, s.observed_at AS observed_at
FROM principal_risk r
JOIN systems_seen s ON s.system_ix = r.system_ix;

-- view grants
SELECT x.system_ix AS system_ix, x.grant_ix AS grant_ix, s.system AS system, x.account_ix AS account_ix,
    x.group_ix AS group_ix, x.principal_kind AS principal_kind,
    COALESCE(a.native_id, g.native_id, x.principal_ref) AS principal,
    COALESCE(a.login, a.display_name, g.name) AS principal_name,
    (COALESCE(t.kind = 'system', FALSE) OR COALESCE(g.vendor_managed, FALSE)) AS principal_vendor,
    e.native_id AS entitlement, e.name AS entitlement_name, e.kind AS entitlement_kind, e.level AS level, e.risks AS risks,
    (e.conditional OR x.condition IS NOT NULL) AS conditional, e.vendor_managed AS vendor_managed, x.effect AS effect,
    o.native_id AS resource,
    COALESCE(CAST(r.members AS BIGINT), CASE WHEN x.account_ix IS NULL THEN 0 ELSE 1 END) AS members,
    x.granted_at AS granted_at, x.expires_at AS expires_at, s.observed_at AS observed_at
FROM snapshot_grants x
JOIN systems_seen s ON s.system_ix = x.system_ix
JOIN snapshot_entitlements e ON e.system_ix = x.system_ix AND e.entitlement_ix = x.entitlement_ix
LEFT JOIN snapshot_accounts a ON a.system_ix = x.system_ix AND a.account_ix = x.account_ix
LEFT JOIN account_state t ON t.system_ix = x.system_ix AND t.account_ix = x.account_ix
LEFT JOIN snapshot_groups g ON g.system_ix = x.system_ix AND g.group_ix = x.group_ix
LEFT JOIN group_reach r ON r.system_ix = x.system_ix AND r.group_ix = x.group_ix
LEFT JOIN snapshot_resources o ON o.system_ix = x.system_ix AND o.resource_ix = x.resource_ix;

-- view memberships
SELECT m.system_ix AS system_ix, m.membership_ix AS membership_ix, s.system AS system, m.account_ix AS account_ix,
    m.member_group_ix AS member_group_ix, m.principal_kind AS principal_kind,
    COALESCE(a.native_id, h.native_id, m.principal_ref) AS principal, m.group_ix AS group_ix, g.native_id AS group_id,
    g.name AS group_name, NOT COALESCE(g.attributes = '{"not_in_export":true}', FALSE) AS group_in_export, m.kind AS kind,
    r.level AS level, m.condition IS NOT NULL AS conditional, m.granted_at AS granted_at, m.expires_at AS expires_at,
    s.observed_at AS observed_at
FROM snapshot_memberships m
JOIN systems_seen s ON s.system_ix = m.system_ix
JOIN snapshot_groups g ON g.system_ix = m.system_ix AND g.group_ix = m.group_ix
JOIN group_reach r ON r.system_ix = m.system_ix AND r.group_ix = m.group_ix
LEFT JOIN snapshot_accounts a ON a.system_ix = m.system_ix AND a.account_ix = m.account_ix
LEFT JOIN snapshot_groups h ON h.system_ix = m.system_ix AND h.group_ix = m.member_group_ix;

-- view credentials
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix, s.system AS system, c.native_id AS credential,
    c.account_ix AS account_ix, COALESCE(a.native_id, c.holder_ref) AS holder, a.login AS login,
    COALESCE(t.kind, 'unknown') AS account_kind, COALESCE(a.status, 'unknown') AS account_status,
    COALESCE(t.can_authenticate, 'unknown') AS can_authenticate,
    COALESCE(t.match_state, 'not_evaluated') AS match_state, c.kind AS kind, c.status AS status,
    c.created_at AS created_at, c.rotated_at AS rotated_at, c.last_used_at AS last_used_at, c.use_state AS use_state,
    c.use_window_from AS use_window_from, c.expires_at AS expires_at, s.observed_at AS observed_at
FROM snapshot_credentials c
JOIN systems_seen s ON s.system_ix = c.system_ix
LEFT JOIN snapshot_accounts a ON a.system_ix = c.system_ix AND a.account_ix = c.account_ix
LEFT JOIN account_state t ON t.system_ix = c.system_ix AND t.account_ix = c.account_ix;

-- view register
SELECT r.system_ix AS register_ix, r.system AS system, r.owner_ref AS owner_ref, r.in_scope AS in_scope,
    r.environment AS environment, p.system_ix IS NOT NULL AS present, s.observed_at AS observed_at
FROM snapshot_systems r
JOIN systems_seen s ON s.system_ix = r.system_ix
LEFT JOIN systems_seen p ON p.system = r.system;

-- view reviews
SELECT r.system_ix AS source_ix, r.review AS review, r.system AS system, r.subject_ref AS subject_ref,
    r.entitlement_ref AS entitlement_ref, r.exception_ref AS exception_ref, r.reviewer_ref AS reviewer_ref,
    r.decision AS decision, r.decided_at AS decided_at, r.due_at AS due_at, s.observed_at AS observed_at
FROM snapshot_reviews r
JOIN systems_seen s ON s.system_ix = r.system_ix;
