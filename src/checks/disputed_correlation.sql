-- ---
-- id = "disputed-correlation"
-- title = "Account that may belong to several people"
-- severity = "medium"
-- confidence = "high"
-- grain = "account"
-- subject = "account"
-- needs = ["accounts", "identities"]
-- message = "account `{login}` has {candidates} candidate identities and no rule makes one of them certain"
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
WITH held AS (
    SELECT c.system_ix AS system_ix, c.account_ix AS account_ix, COUNT(*) AS candidates,
        COUNT(*) FILTER (WHERE c.candidate_state = 'disputed') AS disputed, MIN(c.identity) AS first_candidate,
        MAX(c.identity) AS last_candidate, MAX(c.score) AS best_score
    FROM candidates c
    GROUP BY c.system_ix, c.account_ix
)
SELECT a.system_ix AS system_ix, a.account_ix AS account_ix,
    CASE WHEN h.disputed > 0 THEN 'finding' ELSE 'ok' END AS outcome,
    'certain' AS certainty,
    a.login AS login, a.status AS status, a.display_name AS display_name, a.email AS email, a.employee_ref AS employee_ref,
    h.candidates AS candidates, h.first_candidate AS first_candidate, h.last_candidate AS last_candidate,
    h.best_score AS best_score
FROM accounts a
JOIN held h ON h.system_ix = a.system_ix AND h.account_ix = a.account_ix
WHERE a.status <> 'deleted'
