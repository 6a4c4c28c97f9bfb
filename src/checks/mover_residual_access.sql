-- ---
-- id = "mover-residual-access"
-- title = "Access kept from an earlier role"
-- severity = "medium"
-- confidence = "medium"
-- grain = "run"
-- subject = "edge"
-- needs = ["accounts", "identities", "memberships|grants", "role_model", "movers"]
-- message = "`{target_name}` is still held by `{login}`, who moved from `{from_title}` in `{from_unit}` by {moved_by}"
-- covered_by = ["leaver-access-unremoved"]
-- description = """
-- Access of a person who changed title or organisational unit that a role due before the move spoke for, that began
-- before the move, that no role due now gives in full, and that is still there when the time to hand over has passed.
-- A move of which only the interval is known counts from its last instant. When access began is known from its own
-- date, else from a stored snapshot of before the move; where neither tells, and where title or unit before the move
-- is not known, it is unknown. It is certain if it is true of everybody to whom the account may belong, possible if of
-- some. Roles are those of the current catalogue."""
-- remedy = """
-- If it is still needed, give it by a role that is due to the person now."""
-- false_positives = """
-- A hand-over that was agreed to take longer: except it with an owner and an end."""
-- controls = [
--     "nist-800-53:PS-5", "nist-800-53:AC-2", "nist-800-53:AC-6", "nist-csf:PR.AA-05", "iso-27001:5.18", "iso-27001:6.5",
--     "soc2:CC6.2", "soc2:CC6.3", "pci-dss:7.2.4", "cis:6.2", "ccm:IAM-07"]
-- [parameters.grace]
-- type = "days"
-- default = "30d"
-- doc = "days after the move in which access may stay for handing over"
-- ---
WITH judged AS (
    SELECT m.system_ix AS system_ix, m.account_ix AS account_ix, m.edge AS edge, m.edge_ix AS edge_ix,
        CASE
            WHEN NOT m.took_effect THEN 'not_yet_observable'
            WHEN m.fit_now = 'inside' OR m.began = 'after' THEN 'ok'
            WHEN m.fit_before IN ('outside', 'no_role') THEN 'ok'
            WHEN m.fit_before IS NULL OR m.began = 'unknown' THEN 'unknown'
            WHEN m.observed_at - m.moved_by > :grace THEN 'finding'
            ELSE 'too_new'
        END AS answer,
        m.login AS login, m.candidates AS candidates, m.identity_name AS identity_name,
        COALESCE(m.target_name, m.target) AS target_name, m.level AS level, m.moved_after AS moved_after, m.moved_by AS moved_by,
        m.from_title AS from_title, m.to_title AS to_title, m.from_unit AS from_unit, m.to_unit AS to_unit,
        m.roles_before AS roles_before, m.fit_before AS fit_before, m.fit_now AS fit_now, m.began_by AS began_by
    FROM moved_access m
    WHERE m.status <> 'deleted'
)
SELECT j.system_ix AS system_ix, j.account_ix AS account_ix, j.edge AS edge, j.edge_ix AS edge_ix,
    CASE
        WHEN COUNT(*) FILTER (WHERE j.answer = 'finding') > 0 THEN 'finding'
        WHEN COUNT(*) FILTER (WHERE j.answer = 'unknown') > 0 THEN 'unknown'
        WHEN COUNT(*) FILTER (WHERE j.answer = 'too_new') > 0 THEN 'too_new'
        WHEN COUNT(*) FILTER (WHERE j.answer = 'not_yet_observable') > 0 THEN 'not_yet_observable'
        ELSE 'ok'
    END AS outcome,
    CASE
        WHEN COUNT(*) FILTER (WHERE j.answer = 'finding') = MAX(CAST(j.candidates AS BIGINT)) THEN 'certain'
        ELSE 'possible'
    END AS certainty,
    MIN(j.login) AS login, MIN(j.target_name) AS target_name, MIN(j.level) AS level,
    MIN(j.identity_name) FILTER (WHERE j.answer = 'finding') AS identity_name,
    MIN(j.from_title) FILTER (WHERE j.answer = 'finding') AS from_title,
    MIN(j.to_title) FILTER (WHERE j.answer = 'finding') AS to_title,
    MIN(j.from_unit) FILTER (WHERE j.answer = 'finding') AS from_unit,
    MIN(j.to_unit) FILTER (WHERE j.answer = 'finding') AS to_unit,
    MIN(j.moved_after) FILTER (WHERE j.answer = 'finding') AS moved_after,
    MIN(j.moved_by) FILTER (WHERE j.answer = 'finding') AS moved_by,
    MIN(j.moved_by) FILTER (WHERE j.answer = 'finding') AS since,
    MIN(j.roles_before) FILTER (WHERE j.answer = 'finding') AS roles_before,
    MIN(j.fit_now) FILTER (WHERE j.answer = 'finding') AS fit_now,
    MIN(j.began_by) FILTER (WHERE j.answer = 'finding') AS began_by,
    MAX(CAST(j.candidates AS BIGINT)) AS candidates, COUNT(*) FILTER (WHERE j.answer = 'finding') AS candidates_moved
FROM judged j
GROUP BY j.system_ix, j.account_ix, j.edge, j.edge_ix
