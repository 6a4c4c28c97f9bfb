-- ---
-- id = "revoke-ticket-closed-access-live"
-- title = "Ticket to take access away is closed, the access is still there"
-- severity = "high"
-- confidence = "high"
-- grain = "account"
-- subject = "request"
-- needs = ["accounts", "requests"]
-- message = "ticket `{request}` to take away {what} of `{login}` was closed at {closed_at}, and it is still there"
-- description = """
-- A request for the end of access is closed, and the snapshot taken after that still shows what it named: the grant or
-- membership, or, where the ticket names no right, an account that its system would still let in. Access that was
-- given again after the ticket was closed is another matter. A ticket without the instant at which it was closed
-- cannot be judged; one that was closed after the observation, or within the grace time, is not yet observable."""
-- remedy = """
-- Take away what the ticket names, and find out why it was closed before that was done."""
-- false_positives = """
-- Tickets that are closed when the work is handed on: set the grace time to what that takes."""
-- controls = [
--     "nist-800-53:AC-3(8)", "nist-800-53:AC-2(3)", "nist-csf:PR.AA-05", "iso-27001:5.18", "soc2:CC6.3", "pci-dss:8.2.5",
--     "cis:6.2", "ccm:IAM-07"]
-- [parameters.grace]
-- type = "hours"
-- default = "24h"
-- doc = "time after the closing of a ticket in which its work may be on its way"
-- ---
SELECT r.system_ix AS system_ix, r.account_ix AS account_ix, r.edge AS edge, r.edge_ix AS edge_ix, r.request AS request,
    r.request_system_ix AS request_system_ix,
    CASE
        WHEN r.state <> 'closed' THEN 'ok'
        WHEN r.closed_at IS NULL THEN 'unknown'
        WHEN r.regranted THEN 'ok'
        WHEN r.edge IS NULL AND a.can_authenticate = 'no' THEN 'ok'
        WHEN a.observed_at - r.closed_at <= :grace THEN 'not_yet_observable'
        ELSE 'finding'
    END AS outcome,
    CASE
        WHEN a.candidates > 1 THEN 'possible'
        WHEN r.edge IS NULL AND a.can_authenticate = 'unknown' THEN 'possible'
        ELSE 'certain'
    END AS certainty,
    COALESCE(x.target_name, x.target, 'the account') AS what, COALESCE(a.login, a.account) AS login, a.status AS status,
    a.can_authenticate AS can_authenticate, x.level AS level, r.how AS how, r.decision AS decision, r.closed_at AS closed_at,
    r.closed_at AS since
FROM accounts a
JOIN revocations r ON r.system_ix = a.system_ix AND r.account_ix = a.account_ix
LEFT JOIN access x ON x.system_ix = a.system_ix AND x.account_ix = a.account_ix AND x.edge = r.edge AND x.edge_ix = r.edge_ix
WHERE a.status <> 'deleted'
