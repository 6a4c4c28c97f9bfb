-- ---
-- id = "unused-key"
-- title = "Access key that nobody uses"
-- severity = "medium"
-- confidence = "high"
-- grain = "run"
-- subject = "credential"
-- needs = ["credentials"]
-- message = "{kind} of `{login}` is active and was not used for more than the permitted time"
-- covered_by = ["leaver-live-credential"]
-- description = """
-- An active key that was last used longer ago than the limit, or was never used and is older than the limit. A key
-- younger than the limit that was never used is too new; no information about use is unknown."""
-- remedy = """
-- Deactivate the key; delete it when nothing breaks."""
-- false_positives = """
-- Keys kept for recovery, and use that the source does not record."""
-- controls = [
--     "nist-800-53:AC-2(3)", "nist-csf:PR.AA-01", "iso-27001:5.17", "soc2:CC6.1", "pci-dss:8.6.3", "cis:5.3",
--     "owasp-nhi:NHI1:2025"]
-- [parameters.unused_after]
-- type = "days"
-- default = "45d"
-- doc = "days without use after which a key is unused"
-- ---
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix,
    CASE
        WHEN c.use_state = 'used' AND c.observed_at - c.last_used_at > :unused_after THEN 'finding'
        WHEN c.use_state = 'used' THEN 'ok'
        WHEN c.use_state = 'never' AND COALESCE(c.rotated_at, c.created_at) IS NULL THEN 'unknown'
        WHEN c.use_state = 'never' AND c.observed_at - COALESCE(c.rotated_at, c.created_at) > :unused_after THEN 'finding'
        WHEN c.use_state = 'never' THEN 'too_new'
        WHEN c.use_state = 'not_in_window' AND c.use_window_from IS NOT NULL
            AND c.observed_at - c.use_window_from > :unused_after THEN 'finding'
        ELSE 'unknown'
    END AS outcome,
    'certain' AS certainty,
    c.kind AS kind, c.login AS login, c.status AS status, c.use_state AS use_state, c.last_used_at AS last_used_at,
    c.use_window_from AS use_window_from, c.created_at AS created_at, c.rotated_at AS rotated_at,
    COALESCE(c.last_used_at, c.use_window_from, c.rotated_at, c.created_at) AS since
FROM credentials c
WHERE c.kind IN ('access_key', 'api_token', 'client_secret') AND c.status = 'active'
    AND (c.expires_at IS NULL OR c.expires_at > c.observed_at) AND c.use_state <> 'not_applicable'
