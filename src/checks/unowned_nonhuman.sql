-- ---
-- id = "unowned-nonhuman"
-- title = "Workload or agent whose owner is gone"
-- severity = "medium"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "{kind} account `{login}` belongs to the registered `{registered_as}`, for which nobody here answers any more"
-- description = """
-- An account of a registered workload or agent whose stated owner has left, is nobody that the people list knows, or
-- is missing although the register states owners. Nobody will notice when it is no longer needed."""
-- remedy = """
-- Name a new owner in the register, and let them confirm that the workload is still needed and what it may do."""
-- false_positives = """
-- Owners that are teams or mailboxes, which no people list holds: name a person beside them."""
-- controls = [
--     "nist-800-53:AC-2", "nist-800-53:PS-4", "nist-csf:PR.AA-01", "iso-27001:5.16", "iso-27001:5.9", "soc2:CC6.1",
--     "pci-dss:7.2.5", "cis:5.5", "owasp-nhi:NHI1:2025"]
-- ---
WITH registered AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, MIN(c.identity) AS identity, MIN(c.identity_ix) AS identity_ix
    FROM candidates c
    WHERE c.identity_kind IN ('workload', 'agent')
    GROUP BY c.system_ix, c.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE WHEN a.match_state = 'unowned' THEN 'finding' ELSE 'ok' END AS outcome,
    CASE WHEN a.can_authenticate = 'no' THEN 'possible' ELSE 'certain' END AS certainty,
    a.login AS login, a.kind AS kind, a.status AS status, r.identity AS registered_as, i.display_name AS workload,
    COALESCE(i.owner_ref, a.owner_ref) AS stated_owner, a.can_authenticate AS can_authenticate, a.last_used_at AS last_used_at
FROM accounts a
JOIN registered r ON r.system_ix = a.system_ix AND r.account_ix = a.account_ix
JOIN identities_seen i ON i.identity_ix = r.identity_ix
WHERE a.status IN ('active', 'locked', 'pending', 'unknown') AND (a.expires_at IS NULL OR a.expires_at > a.observed_at)
