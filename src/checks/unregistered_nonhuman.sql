-- ---
-- id = "unregistered-nonhuman"
-- title = "Service account, role or agent that no register knows"
-- severity = "medium"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "{kind} account `{login}` works and is in no register of workloads"
-- description = """
-- An account of a service, workload, role or agent that its system would still let in, while the register of
-- workloads has no entry for it: nobody answers for it and nothing says when it may go. Accounts created after the
-- register was read, or within its lag, are too new; without a register of workloads nothing can be said, and all
-- are unknown."""
-- remedy = """
-- Find out what uses the account. Register it with an owner and a purpose, or disable it."""
-- false_positives = """
-- Workloads whose entry carries neither the account's login nor its id: add the account to the entry's aliases."""
-- controls = [
--     "nist-800-53:IA-9", "nist-800-53:AC-2", "nist-csf:PR.AA-01", "iso-27001:5.16", "soc2:CC6.1", "pci-dss:7.2.5",
--     "cis:5.5", "owasp-nhi:NHI1:2025"]
-- ---
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN a.match_state = 'unregistered' THEN 'finding'
        WHEN a.match_state = 'too_new' THEN 'too_new'
        WHEN a.match_state = 'not_evaluated' THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN a.can_authenticate = 'no' THEN 'possible' ELSE 'certain' END AS certainty,
    a.login AS login, a.kind AS kind, a.kind_from AS kind_from, a.status AS status, a.owner_ref AS owner_ref,
    a.can_authenticate AS can_authenticate, a.created_at AS since, a.last_used_at AS last_used_at
FROM accounts a
WHERE a.kind IN ('service', 'workload', 'agent', 'role') AND a.status IN ('active', 'locked', 'pending', 'unknown')
    AND (a.expires_at IS NULL OR a.expires_at > a.observed_at)
