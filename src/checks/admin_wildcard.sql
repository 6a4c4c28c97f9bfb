-- ---
-- id = "admin-wildcard"
-- title = "Policy that allows everything"
-- severity = "high"
-- confidence = "high"
-- grain = "run"
-- subject = "edge"
-- needs = ["grants", "entitlements"]
-- message = "`{entitlement_name}` gives `{principal_name}` every right"
-- description = """
-- A policy of the organisation's own that amounts to administration is attached to a user, a group or a role. A
-- policy that does so only under a condition is possible. A policy that could not be read is unknown, never
-- harmless. The vendor's own administrator policies are left out unless asked for, because who holds them is a
-- question of roles, not of wording."""
-- remedy = """
-- Detach the policy that is named and attach one that lists the actions in use."""
-- false_positives = """
-- Break-glass roles and deployment roles that need every right: except them, with an owner and an end."""
-- controls = [
--     "nist-800-53:AC-6", "nist-csf:PR.AA-05", "iso-27001:8.2", "soc2:CC6.3", "pci-dss:7.2.2", "ccm:IAM-05",
--     "owasp-nhi:NHI5:2025"]
-- [parameters.include_vendor_policies]
-- type = "boolean"
-- default = false
-- doc = "count the vendor's own administrator policies, too"
-- ---
SELECT g.system_ix AS system_ix, g.account_ix AS account_ix, 'grant' AS edge, g.grant_ix AS edge_ix,
    CASE WHEN g.level = 'admin' THEN 'finding' WHEN g.level = 'unknown' THEN 'unknown' ELSE 'ok' END AS outcome,
    CASE WHEN g.conditional THEN 'possible' ELSE 'certain' END AS certainty,
    g.entitlement_name AS entitlement_name, g.principal_name AS principal_name, g.entitlement_kind AS entitlement_kind,
    g.level AS level, g.risks AS risks, g.conditional AS conditional, g.members AS members, g.vendor_managed AS vendor_managed
FROM grants g
WHERE g.effect = 'allow' AND g.entitlement_kind IN ('managed-policy', 'inline-policy') AND NOT g.principal_vendor AND (:include_vendor_policies OR NOT g.vendor_managed)
