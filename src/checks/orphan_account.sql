-- ---
-- id = "orphan-account"
-- title = "Account that belongs to nobody"
-- severity = "high"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` is {standing}, and no identity fits it"
-- description = """
-- An account of a person, or of a kind that nobody stated, that its system would still let in, while no rule of
-- correlation finds an identity for it. Nobody answers for it, so nobody notices when it should end. One without a
-- live credential is possible: its system lets it in only by a way that the export does not show. Accounts created
-- after the authority was read, or within its lag, are too new to judge."""
-- remedy = """
-- Find out who uses the account. Enter its owner in the authoritative record, or disable it."""
-- false_positives = """
-- People whom the authoritative list leaves out (contractors, interns, subsidiaries), and shared accounts:
-- register them, or set the account's kind."""
-- controls = [
--     "nist-800-53:AC-2", "nist-csf:PR.AA-01", "iso-27001:5.16", "soc2:CC6.2", "pci-dss:8.2.1", "cis:5.1",
--     "ccm:IAM-03"]
-- ---
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE
        WHEN a.match_state = 'orphan' THEN 'finding'
        WHEN a.match_state = 'too_new' THEN 'too_new'
        WHEN a.match_state = 'not_evaluated' THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    CASE WHEN a.can_authenticate = 'no' AND a.status <> 'pending' THEN 'possible' ELSE 'certain' END AS certainty,
    CASE
        WHEN a.status = 'unknown' THEN 'of unknown status'
        WHEN a.can_authenticate = 'no' AND a.status = 'active' THEN 'active without a live credential'
        ELSE a.status
    END AS standing,
    a.login AS login, a.status AS status, a.kind AS kind, a.kind_from AS kind_from, a.email AS email,
    a.employee_ref AS employee_ref, a.can_authenticate AS can_authenticate, a.created_at AS since, a.last_used_at AS last_used_at
FROM accounts a
WHERE a.kind IN ('human', 'shared', 'external', 'unknown') AND a.status IN ('active', 'locked', 'pending', 'unknown')
    AND (a.expires_at IS NULL OR a.expires_at > a.observed_at)
