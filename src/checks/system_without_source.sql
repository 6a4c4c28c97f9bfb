-- ---
-- id = "system-without-source"
-- title = "System in scope of which nothing was read"
-- severity = "high"
-- confidence = "high"
-- grain = "run"
-- subject = "source"
-- needs = ["systems"]
-- message = "system `{system}` is in scope of the audit, and no export of it is among the sources"
-- description = """
-- The register of systems says that the audit must see this system, and no snapshot of it is current. Nothing is known
-- about its accounts: their absence from this report says nothing."""
-- remedy = """
-- Export the system and import it under the name that the register uses, or correct the register."""
-- false_positives = """
-- A system that is imported under another name: use one name in the register and in the configuration."""
-- controls = [
--     "nist-800-53:CA-7(6)", "nist-800-53:CM-8", "iso-27001:5.9", "soc2:CC2.1", "pci-dss:12.5.1", "cis:1.1"]
-- ---
SELECT r.system AS system,
    CASE WHEN r.present THEN 'ok' ELSE 'finding' END AS outcome,
    'certain' AS certainty,
    r.owner_ref AS system_owner, r.environment AS environment, r.observed_at AS register_observed_at
FROM register r
WHERE r.in_scope
