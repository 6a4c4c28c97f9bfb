-- ---
-- id = "disabled-account-live-credential"
-- title = "Live credential of a disabled account"
-- severity = "high"
-- confidence = "high"
-- grain = "run"
-- subject = "credential"
-- needs = ["accounts", "credentials"]
-- message = "{kind} of `{login}` is active although the account is {account_status}"
-- covered_by = ["leaver-live-credential"]
-- description = """
-- A key, token or certificate that is active and unexpired while its account is disabled, expired or deleted.
-- Passwords are left out: they end with the account."""
-- remedy = """
-- Deactivate the credential."""
-- false_positives = """
-- Systems in which a disabled account's keys cannot be used: set the check aside for them, with that reason."""
-- controls = [
--     "nist-800-53:AC-2(3)", "nist-csf:PR.AA-01", "iso-27001:5.17", "iso-27001:5.18", "soc2:CC6.2",
--     "pci-dss:8.2.5", "owasp-nhi:NHI1:2025"]
-- ---
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix,
    CASE WHEN c.account_status = 'unknown' THEN 'unknown' ELSE 'finding' END AS outcome,
    'certain' AS certainty,
    c.kind AS kind, c.login AS login, c.status AS status, c.account_status AS account_status, c.created_at AS created_at,
    c.rotated_at AS rotated_at, c.last_used_at AS last_used_at
FROM credentials c
WHERE c.status = 'active' AND (c.expires_at IS NULL OR c.expires_at > c.observed_at) AND c.kind <> 'password'
    AND c.account_ix IS NOT NULL AND c.account_status IN ('disabled', 'expired', 'deleted', 'unknown')
