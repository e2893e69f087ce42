-- both
ALTER TABLE tariff ADD COLUMN change_mode text
--;
ALTER TABLE tariff ADD COLUMN rules text
--;
ALTER TABLE tariff ADD COLUMN replaced_by uuid
--;
ALTER TABLE tariff_price ADD COLUMN replaced boolean NOT NULL DEFAULT FALSE
--;
CREATE TABLE degree_day (
    branch text NOT NULL,
    date date NOT NULL,
    tenths integer NOT NULL,
    PRIMARY KEY (branch, date),
    CONSTRAINT degree_day_value CHECK (tenths >= 0)
)
-- sqlite
DROP TRIGGER tariff_no_overlap
--;
CREATE TRIGGER tariff_no_overlap BEFORE INSERT ON tariff_price WHEN NOT NEW.replaced
BEGIN
    SELECT RAISE(ABORT, 'tariff_overlap') WHERE EXISTS (
        SELECT 1 FROM tariff_price p
        WHERE p.commodity = NEW.commodity AND p.use_class = NEW.use_class AND NOT p.replaced
        AND (p.until_date IS NULL OR p.until_date > NEW.from_date) AND (NEW.until_date IS NULL OR NEW.until_date > p.from_date));
END
--;
DROP TRIGGER tariff_price_immutable
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price
WHEN OLD.replaced OR NEW.id IS NOT OLD.id OR NEW.tariff_id IS NOT OLD.tariff_id OR NEW.commodity IS NOT OLD.commodity OR NEW.use_class IS NOT OLD.use_class
    OR NEW.from_date IS NOT OLD.from_date OR NEW.terms IS NOT OLD.terms
    OR (NEW.replaced AND NEW.until_date IS NOT OLD.until_date)
    OR (NOT NEW.replaced AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date))
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
DROP TRIGGER tariff_immutable
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff
WHEN OLD.replaced_by IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.from_date IS NOT OLD.from_date OR NEW.legal_basis IS NOT OLD.legal_basis
    OR NEW.published_date IS NOT OLD.published_date OR NEW.boundary IS NOT OLD.boundary OR NEW.year_start_month IS NOT OLD.year_start_month
    OR NEW.year_start_day IS NOT OLD.year_start_day OR NEW.change_mode IS NOT OLD.change_mode OR NEW.rules IS NOT OLD.rules
    OR (NEW.replaced_by IS NOT NULL AND NEW.until_date IS NOT OLD.until_date)
    OR (NEW.replaced_by IS NULL AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL))
BEGIN SELECT RAISE(ABORT, 'tariff_is_immutable'); END
--;
CREATE TRIGGER degree_day_no_update BEFORE UPDATE ON degree_day BEGIN SELECT RAISE(ABORT, 'append_only'); END
--;
CREATE TRIGGER degree_day_no_delete BEFORE DELETE ON degree_day BEGIN SELECT RAISE(ABORT, 'append_only'); END
-- postgres
ALTER TABLE tariff_price DROP CONSTRAINT tariff_overlap
--;
ALTER TABLE tariff_price ADD CONSTRAINT tariff_overlap
    EXCLUDE USING gist (commodity WITH =, use_class WITH =, daterange(from_date, until_date, '[)') WITH &&) WHERE (NOT replaced)
--;
DROP TRIGGER tariff_price_immutable ON tariff_price
--;
CREATE TRIGGER tariff_price_immutable BEFORE UPDATE ON tariff_price FOR EACH ROW
WHEN (OLD.replaced OR NEW.id <> OLD.id OR NEW.tariff_id <> OLD.tariff_id OR NEW.commodity <> OLD.commodity OR NEW.use_class <> OLD.use_class
    OR NEW.from_date <> OLD.from_date OR NEW.terms <> OLD.terms
    OR (NEW.replaced AND NEW.until_date IS DISTINCT FROM OLD.until_date)
    OR (NOT NEW.replaced AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL OR NEW.until_date <= OLD.from_date)))
EXECUTE FUNCTION tariff_is_immutable()
--;
DROP TRIGGER tariff_immutable ON tariff
--;
CREATE TRIGGER tariff_immutable BEFORE UPDATE ON tariff FOR EACH ROW
WHEN (OLD.replaced_by IS NOT NULL OR NEW.id <> OLD.id OR NEW.from_date <> OLD.from_date OR NEW.legal_basis <> OLD.legal_basis
    OR NEW.published_date <> OLD.published_date OR NEW.boundary <> OLD.boundary OR NEW.year_start_month <> OLD.year_start_month
    OR NEW.year_start_day <> OLD.year_start_day OR NEW.change_mode IS DISTINCT FROM OLD.change_mode OR NEW.rules IS DISTINCT FROM OLD.rules
    OR (NEW.replaced_by IS NOT NULL AND NEW.until_date IS DISTINCT FROM OLD.until_date)
    OR (NEW.replaced_by IS NULL AND (OLD.until_date IS NOT NULL OR NEW.until_date IS NULL)))
EXECUTE FUNCTION tariff_is_immutable()
--;
CREATE TRIGGER degree_day_no_change BEFORE UPDATE OR DELETE ON degree_day FOR EACH ROW EXECUTE FUNCTION append_only()
