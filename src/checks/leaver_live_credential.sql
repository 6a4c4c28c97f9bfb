-- ---
-- id = "leaver-live-credential"
-- title = "Leaver's credential that still works"
-- severity = "critical"
-- confidence = "high"
-- grain = "account"
-- subject = "credential"
-- needs = ["credentials", "identities"]
-- message = "{kind} of `{login}` is active although its owner had left by {left_by}"
-- description = """
-- A password, key, token or certificate that is active and unexpired, of an account all of whose candidate owners
-- have left (certain), or some of them (possible). Passwords count only where the account itself would be let in."""
-- remedy = """
-- Deactivate the credential; disabling the account alone does not end every credential."""
-- false_positives = """
-- A rehire whose new employment the authority has not entered yet."""
-- controls = [
--     "nist-800-53:PS-4", "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "iso-27001:6.5",
--     "soc2:CC6.2", "pci-dss:8.2.5", "cis:6.2", "ccm:IAM-07", "owasp-nhi:NHI1:2025"]
-- ---
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.standing = 'left') AS gone, COUNT(*) FILTER (WHERE c.leaves_later) AS later,
        MIN(c.left_by) AS left_by, MIN(c.known_by) AS known_by
    FROM candidates c
    WHERE c.identity_kind IN ('person', 'external')
    GROUP BY c.system_ix, c.account_ix
)
SELECT c.system_ix AS system_ix, c.credential_ix AS credential_ix,
    CASE WHEN h.gone > 0 THEN 'finding' WHEN h.later > 0 THEN 'not_yet_observable' ELSE 'ok' END AS outcome,
    CASE WHEN h.gone = h.candidates THEN 'certain' ELSE 'possible' END AS certainty,
    c.kind AS kind, c.login AS login, c.status AS status, c.account_status AS account_status, h.candidates AS candidates,
    h.gone AS candidates_left, h.left_by AS left_by, h.left_by AS since, c.rotated_at AS rotated_at, c.last_used_at AS last_used_at
FROM credentials c
JOIN held h ON h.system_ix = c.system_ix AND h.account_ix = c.account_ix
WHERE c.status = 'active' AND (c.expires_at IS NULL OR c.expires_at > c.observed_at)
    AND (c.kind <> 'password' OR c.can_authenticate <> 'no')
