//! What `--help` says at its end: the columns, what becomes of a row, the exit codes.

macro_rules! with_codes {
    ($columns:literal) => {
        concat!(
            $columns,
            "\n\nA file is text in UTF-8 or GB18030, or a workbook (.xlsx), of which the first sheet or --sheet is read: in it a date cell without a time of day is a day,\n",
            "and a number of more than 15 digits, such as an identity number, has to be formatted as text. Header names are compared without regard to\n",
            "case; columns that no field names are passed over.\n",
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
  service             gas (燃气) or heat (供热): what the contract is for; gas where it is empty

Needs a contract template that may be signed today; --trial-template publishes a plain one where there is none."
);

pub const METERS: &str = with_codes!(
    "Fields (* must be there):
  meter_no*           number on the plate
  account_no*         account that it serves
  meter_kind*         mechanical (机械), remote (物联网), ic (IC卡), heat-kwh, heat-gj (热量表) or water (水表); header may be kind
  meter_model         model, such as G2.5; header may be model
  qmax_m3h*           largest flow, m3 an hour; header may be qmax
  digits*             digits of the register before the point
  initial_index*      index at installation, in --unit
  installed_on*       day of installation, 2024-12-31 or 2024/12/31
  multiplier          what one step of the last whole digit stands for; 1 where it is empty
  gas_kind            natural (天然气), manufactured (人工煤气) or lpg (液化石油气): how long the meter lives
  verified_on         day of the verification
  expires_on          last day of its life or verification; worked out from gas_kind where it is empty
  seal_no             number of the seal

Import the customers first: a meter belongs to the contract of an account, a heat meter to that for heat, a water meter to either."
);

pub const READINGS: &str = with_codes!(
    "Fields (* must be there):
  meter_no*           number on the plate
  read_at*            moment: 2025-01-31T16:19:00+08:00, or a local time of --time-zone (2025-01-31 16:19:00), or a day alone, which means noon.
                      A local time that never came, because clocks were changed, is refused; so is one that came twice, for gas meters: write it
                      with its offset. Heat and water meters: the earlier one is taken and the reading is held.
  index*              index of the register in --unit, plain digits; with --interval the use since the row before. Heat and water meters: more than three
                      places are rounded half up, and 4e+05 is held, since digits were lost. It is kept as it stands in the file beside what is made of it
  source              reader, remote, user or check; --source where it is empty

Example, a file of litres with Spanish times:
  hearth import readings daily.csv --columns meter_no=meter,read_at=read_at_local,index=register_l --unit l --time-zone Europe/Madrid
and one of hourly use in kWh:
  hearth import readings hourly.csv --columns meter_no=building,read_at=hour_start_local,index=usage_kwh_as_published --unit kwh --interval --time-zone UTC

Times that clocks are put forward and back for miss an hour in spring and have one twice in autumn. A file that has 24 hours on both days counts in one time all
year, whatever its header says: name that, such as UTC or Etc/GMT-1 (an hour ahead of UTC), not the zone of the place.
With --interval all rows of a meter are in one file, in the order of time. A row whose time is refused counts in the row after it; one without a number does not.

Rows may come in any order. A row that is there already is dropped; two values at one moment are both held; a value that is out of line is held
for a person who did not bring it (hearth.billing.v1.ReadingService/ListExceptions, ReleaseExceptions)."
);

pub const PAYMENTS: &str = with_codes!(
    "Fields (* must be there):
  account_no*         account that it is for
  amount*             yuan with at most two places, more than 0
  channel_reference*  reference of the channel: one reference is one payment; header may be reference
  paid_at*            day, or moment as of `hearth import readings`; header may be paid_on
  channel             such as BANK or WECHAT; --channel where it is empty
  service             gas (燃气) or heat (供热): what it pays first; left to the service where it is empty

Each payment pays the oldest bills that are due; what is left is prepayment. A reference that was taken already counts as already there."
);

pub const OPENING: &str = with_codes!(
    "Fields (* must be there), one row for each contract:
  account_no*         account
  as_of*              day up to which the system before billed, 2024-12-31 or 2024/12/31
  service             gas (燃气) or heat (供热); gas where it is empty
  meter_no            number of the meter, which is installed already
  index               index that was billed last, in --unit
  year_volume         volume of the tier year that was billed up to that day, in --unit
  prepayment          yuan paid ahead
  open_items          what is owed: number, last day and amount of each bill parted by blanks, bills parted by semicolons:
                      BL-2024-11 2024-12-15 131.56; BL-2024-12 2025-01-15 60.00
                      amounts without late fee, which is worked out from the last day on by the profile in force at as_of

Import customers, profiles, tariffs and meters first. The same state again counts as already there; another one for the same contract is refused."
);

pub const TRADES: &str = with_codes!(
    "Fields (* must be there):
  reference*          reference that no other trade has
  trade_date*         day, 2024-12-31 or 2024/12/31; header may be date
  company*            company of the group
  uscc*               unified social credit code of the vendor; header may be credit_code
  amount*             yuan with at most two places; negative for a reversal or a return
  quality_fault       part of it with quality problems, yuan
  reverses_reference  for a reversal: reference of the trade that it takes back; header may be reverses

Totals of the VIP conditions (G-01, G-02) come from these rows only."
);

pub const PROFILES: &str = "\
A profile file names what a city decides about dues, the document that it rests on, the first day in force, and the branches that it holds for:

  name = \"Trial city\"
  source = \"...\"
  effective_from = \"2025-01-01\"
  branches = [\"河西区\", \"和平区\"]

  [terms]
  due_days = 15                        # from issue to due
  late_fee_per_mille = \"0.5\"         # of what is unpaid, a day
  late_fee_cap_percent = 100           # of the bill
  allocation_order = \"late_fee_first\" # or principal_first
  disputed = \"stops_both\"            # or stops_reminders
  reminder_days = [-3, 1]              # from due
  demand_days = 30                     # after due
  waiting_days = 30                    # after the demand, until suspension is requested
  notice_days = 15                     # of the final notice
  restore_hours = 24                   # from payment to supply
  estimation_order = [\"last_year\", \"last_three\", \"four_months\", \"like_users\"] # the first that has what it needs; left out, this order

  [terms.adjustment]                   # of volume; left out, what the service holds
  lookback_months = 2                  # that an error of the meter counts back
  theft_days = 180                     # where the beginning is not known
  theft_hours = \"4\"                  # of a day; left out, each case names them
  levels = [                           # all up to the first one that it does not exceed
    { up_to_m3 = \"50\", up_to_yuan = \"5000\", roles = [\"district_manager\", \"accountant\"] },
    { up_to_m3 = \"500\", up_to_yuan = \"5000\", roles = [\"service_manager\"] },
    { roles = [\"leader\", \"finance\"] },
  ]

Safe to run twice.

Exit code: 0 when it is published or there already; 2 when the file cannot be used; 1 when the service refuses it or does not answer.";

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

Prices and bounds are texts, in yuan and cubic metres. A tariff of heat has commodity and model \"heat\", no tier year, and for each class
area_per_m2 and, where meters are billed, metered_base_per_m2 and metered_per_kwh or metered_per_gj, whichever the notice prices. A tariff of gas may say how far back use that became known late
changes bills: late_use = { look_back_months = 24, tolerance = \"2\", destination = \"next_bill\" } leaves bills alone that ended longer ago or would
change by no more cubic metres; with destination \"original_period\", which is usual, other bills are billed anew, with \"next_bill\" none is.
Cities whose prices differ stand side by side: with --branch the prices are those of one branch, and where it has none of a class those without count.
Where prices change, --follows names the version that ends the day before; a wrong version of the same first day is replaced with --replaces. The ids
are told when a version is published, and when another one is in the way.
Safe to run twice.

Exit code: 0 when it is published or there already; 2 when the file cannot be used; 1 when the service refuses it or does not answer.";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::{
        super::{profile, tariff},
        *,
    };

    /// The lines of a help that stand apart, which are the example.
    fn example(help: &str) -> String {
        help.lines().filter_map(|line| line.strip_prefix("  ")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_examples_are_what_they_show() {
        assert_eq!(profile::read(&example(PROFILES)).unwrap().len(), 2);
        assert_eq!(tariff::parse(&example(TARIFFS)).unwrap().classes.len(), 1);
    }
}
