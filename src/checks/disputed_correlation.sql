-- ---
-- id = "disputed-correlation"
-- title = "Account that may belong to several people"
-- severity = "medium"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` fits {candidates} identities and no rule decides"
-- description = """
-- Correlation found several identities, or one below the threshold of certainty. Nothing is guessed: every finding
-- that depends on it says how it would change either way."""
-- remedy = """
-- Enter the employee number at the account, or add an alias or a link to the authoritative record, so that one
-- rule decides."""
-- false_positives = """
-- None: the account is disputed by definition. What follows from it is shown as possible elsewhere."""
-- controls = [
--     "nist-800-53:IA-4", "nist-csf:PR.AA-01", "iso-27001:5.16", "soc2:CC6.1", "soc2:CC2.1", "pci-dss:8.2.1"]
-- ---
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE WHEN a.match_state = 'disputed' THEN 'finding' ELSE 'ok' END AS outcome,
    'certain' AS certainty,
    a.login AS login, a.status AS status, a.display_name AS display_name, a.email AS email, a.employee_ref AS employee_ref,
    a.candidates AS candidates
FROM accounts a
WHERE a.candidates > 0 AND a.status <> 'deleted'
