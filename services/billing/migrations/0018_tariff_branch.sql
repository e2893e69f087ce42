-- both
ALTER TABLE tariff ADD COLUMN branch text NOT NULL DEFAULT ''
--;
ALTER TABLE tariff_price ADD COLUMN branch text NOT NULL DEFAULT ''
-- sqlite
DROP TRIGGER tariff_no_overlap
--;
CREATE TRIGGER tariff_no_overlap BEFORE INSERT ON tariff_price WHEN NOT NEW.replaced
BEGIN
    SELECT RAISE(ABORT, 'tariff_overlap') WHERE EXISTS (
        SELECT 1 FROM tariff_price p
        WHERE p.commodity = NEW.commodity AND p.use_class = NEW.use_class AND p.branch = NEW.branch AND NOT p.replaced
        AND (p.until_date IS NULL OR p.until_date > NEW.from_date) AND (NEW.until_date IS NULL OR NEW.until_date > p.from_date));
END
--;
DROP TRIGGER tariff_price_immutable
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price
WHEN OLD.replaced OR NEW.id IS NOT OLD.id OR NEW.tariff_id IS NOT OLD.tariff_id OR NEW.commodity IS NOT OLD.commodity OR NEW.use_class IS NOT OLD.use_class
    OR NEW.branch IS NOT OLD.branch
    OR NEW.from_date IS NOT OLD.from_date OR NEW.terms IS NOT OLD.terms
    OR (NEW.replaced AND NEW.until_date IS NOT OLD.until_date)
    OR (NOT NEW.replaced AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date))
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
DROP TRIGGER tariff_immutable
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff
WHEN OLD.replaced_by IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.branch IS NOT OLD.branch OR NEW.from_date IS NOT OLD.from_date OR NEW.legal_basis IS NOT OLD.legal_basis
    OR NEW.published_date IS NOT OLD.published_date OR NEW.boundary IS NOT OLD.boundary OR NEW.year_start_month IS NOT OLD.year_start_month
    OR NEW.year_start_day IS NOT OLD.year_start_day OR NEW.change_mode IS NOT OLD.change_mode OR NEW.rules IS NOT OLD.rules
    OR (NEW.replaced_by IS NOT NULL AND NEW.until_date IS NOT OLD.until_date)
    OR (NEW.replaced_by IS NULL AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL))
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
-- postgres
ALTER TABLE tariff_price DROP CONSTRAINT tariff_overlap
--;
ALTER TABLE tariff_price ADD CONSTRAINT tariff_overlap
    EXCLUDE USING gist (commodity WITH =, use_class WITH =, branch WITH =, daterange(from_date, until_date, '[)') WITH &&) WHERE (NOT replaced)
--;
DROP TRIGGER tariff_price_immutable ON tariff_price
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price FOR EACH ROW
WHEN (OLD.replaced OR NEW.id <> OLD.id OR NEW.tariff_id <> OLD.tariff_id OR NEW.commodity <> OLD.commodity OR NEW.use_class <> OLD.use_class
    OR NEW.branch <> OLD.branch
    OR NEW.from_date <> OLD.from_date OR NEW.terms <> OLD.terms
    OR (NEW.replaced AND NEW.until_date IS DISTINCT FROM OLD.until_date)
    OR (NOT NEW.replaced AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date)))
EXECUTE FUNCTION tariff_is_immutable()
--;
DROP TRIGGER tariff_immutable ON tariff
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff FOR EACH ROW
WHEN (OLD.replaced_by IS NOT NULL OR NEW.id <> OLD.id OR NEW.branch <> OLD.branch OR NEW.from_date <> OLD.from_date OR NEW.legal_basis <> OLD.legal_basis
    OR NEW.published_date <> OLD.published_date OR NEW.boundary <> OLD.boundary OR NEW.year_start_month <> OLD.year_start_month
    OR NEW.year_start_day <> OLD.year_start_day OR NEW.change_mode IS DISTINCT FROM OLD.change_mode OR NEW.rules IS DISTINCT FROM OLD.rules
    OR (NEW.replaced_by IS NOT NULL AND NEW.until_date IS DISTINCT FROM OLD.until_date)
    OR (NEW.replaced_by IS NULL AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL)))
EXECUTE FUNCTION tariff_is_immutable()
