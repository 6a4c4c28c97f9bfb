-- ---
-- id = "stale-key"
-- title = "Access key that was not rotated"
-- severity = "medium"
-- confidence = "high"
-- grain = "run"
-- subject = "credential"
-- needs = ["credentials"]
-- message = "{kind} of `{login}` was not rotated for more than the permitted time"
-- covered_by = ["leaver-live-credential"]
-- description = """
-- An active key or token whose value is older than the limit, counted from its last rotation, else from its
-- creation. Without either instant its age is unknown."""
-- remedy = """
-- Make a new key, move its users over, then deactivate and delete this one."""
-- false_positives = """
-- Keys whose rotation the source does not record as a new creation."""
-- controls = [
--     "nist-800-53:IA-5", "nist-csf:PR.AA-01", "iso-27001:5.17", "soc2:CC6.1", "pci-dss:8.6.3",
--     "owasp-nhi:NHI7:2025"]
-- [parameters.stale_after]
-- type = "days"
-- default = "90d"
-- doc = "days after which a key must have been rotated"
-- ---
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix,
    CASE
        WHEN COALESCE(c.rotated_at, c.created_at) IS NULL THEN 'unknown'
        WHEN c.observed_at - COALESCE(c.rotated_at, c.created_at) > :stale_after THEN 'finding'
        ELSE 'ok'
    END AS outcome,
    'certain' AS certainty,
    c.kind AS kind, c.login AS login, c.status AS status, c.created_at AS created_at, c.rotated_at AS rotated_at,
    c.last_used_at AS last_used_at, COALESCE(c.rotated_at, c.created_at) AS since
FROM credentials c
WHERE c.kind IN ('access_key', 'api_token', 'client_secret') AND c.status = 'active'
    AND (c.expires_at IS NULL OR c.expires_at > c.observed_at)
