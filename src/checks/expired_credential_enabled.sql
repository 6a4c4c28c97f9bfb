-- ---
-- id = "expired-credential-enabled"
-- title = "Credential past its end that is still enabled"
-- severity = "medium"
-- confidence = "high"
-- grain = "run"
-- subject = "credential"
-- needs = ["credentials"]
-- message = "{kind} of `{login}` ended at {expires_at} and is still enabled"
-- covered_by = ["leaver-live-credential", "disabled-account-live-credential"]
-- description = """
-- A credential whose end lies before the observation and whose status is still active: either its system does not
-- enforce the end, or it waits for somebody to move the date. Where the export does not say whether it is enabled,
-- that is unknown. Passwords are left out: their end asks for a change at the next sign-in."""
-- remedy = """
-- Deactivate the credential and delete it. If it is still needed, make a new one with an end of its own."""
-- false_positives = """
-- Systems that enforce the end and merely keep showing the credential as active."""
-- controls = [
--     "nist-800-53:IA-5", "nist-csf:PR.AA-01", "iso-27001:5.17", "soc2:CC6.1", "pci-dss:8.6.3", "owasp-nhi:NHI7:2025"]
-- ---
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix,
    CASE
        WHEN c.expires_at > c.observed_at THEN 'ok'
        WHEN c.status = 'active' THEN 'finding'
        WHEN c.status = 'unknown' THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    'certain' AS certainty,
    c.kind AS kind, COALESCE(c.login, c.holder) AS login, c.status AS status, c.created_at AS created_at,
    c.expires_at AS expires_at, c.last_used_at AS last_used_at, c.expires_at AS since
FROM credentials c
WHERE c.expires_at IS NOT NULL AND c.kind <> 'password' AND c.status <> 'deleted'
