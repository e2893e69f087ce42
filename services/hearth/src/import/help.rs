//! What `--help` says at its end: the columns, what becomes of a row, the exit codes.

macro_rules! with_codes {
    ($columns:literal) => {
        concat!(
            $columns,
            "\n\nText is UTF-8 or GB18030. Header names are compared without regard to case; columns that no field names are passed over.\n",
            "Safe to run twice: what is there already is counted and left alone, and what was refused is judged anew. The file of refused rows holds line,\n",
            "reason, field and text, then the row as it came: put it right there and import that file.\n\n",
            "Exit code: 0 when every row was handled, also when some were refused; 2 when nothing of the file could be used (no such file, no text in\n",
            "the encoding, columns that are missing, no row); 1 when the service does not answer or refuses the caller."
        )
    };
}

pub const CUSTOMERS: &str = with_codes!(
    "Fields (* must be there):
  account_no*         account number, which is kept
  name*               name of the person or organisation
  party_kind*         person (个人) or organisation (单位); header may be kind
  id_number*          identity number, or unified social credit code
  phone*              mobile, landline with area code, or 400 number
  address*            address of the premises
  community_code      code of the residents' community, 12 digits
  branch*             branch (营业所)
  use_class*          class of use as in the tariff, such as living
  household_persons   registered persons
  low_income          1, yes, true, 是; or 0, no, false, 否
  area_m2             floor area
  supply_from*        first day of supply, 2024-12-31 or 2024/12/31; header may be installed_on

Needs a contract template that may be signed today; --trial-template publishes a plain one where there is none."
);

pub const METERS: &str = with_codes!(
    "Fields (* must be there):
  meter_no*           number on the plate
  account_no*         account that it serves
  meter_kind*         mechanical (机械), remote (物联网) or ic (IC卡); header may be kind
  meter_model         model, such as G2.5; header may be model
  qmax_m3h*           largest flow, m3 an hour; header may be qmax
  digits*             digits of the register before the point
  initial_index*      index at installation, in --unit
  installed_on*       day of installation, 2024-12-31 or 2024/12/31

Import the customers first: a meter belongs to the gas contract of an account."
);

pub const READINGS: &str = with_codes!(
    "Fields (* must be there):
  meter_no*           number on the plate
  read_at*            moment: 2025-01-31T16:19:00+08:00, or a local time of --time-zone (2025-01-31 16:19:00), or a day alone, which means noon.
                      A local time that came twice or never, because clocks were changed, is refused: write it with its offset.
  index*              index of the register, plain digits, in --unit
  source              reader, remote or user; --source where it is empty

Example, a file of litres with Spanish times:
  hearth import readings daily.csv --columns meter_no=meter,read_at=read_at_local,index=register_l --unit l --time-zone Europe/Madrid

Rows may come in any order. A row that is there already is dropped; two values at one moment are both held; a value that is out of line is held
for a person who did not bring it (hearth.billing.v1.ReadingService/ListExceptions, ReleaseExceptions)."
);

pub const TARIFFS: &str = "\
A tariff file names the notice that orders the prices, the authority, the first day in force, and for each class of use its tiers:

  name = \"Tianjin residents, piped natural gas\"
  commodity = \"natural_gas\"
  currency = \"CNY\"
  effective_from = \"2024-09-01\"
  legal_basis = \"...\"
  approved_by = \"...\"
  model = \"graduated_annual\"
  tier_year_start = \"01-01\"

  [[class]]
  name = \"living\"
  tiers = [{ up_to = \"300\", price = \"2.86\" }, { up_to = \"600\", price = \"3.36\" }, { price = \"4.11\" }]
  low_income = \"all_at_tier_1\"

Prices and bounds are texts, in yuan and cubic metres. Safe to run twice.

Exit code: 0 when it is published or there already; 2 when the file cannot be used; 1 when the service refuses it or does not answer.";
