//! The last day of 2024: the register is filed, the tariff published, the meters entered.

use std::collections::VecDeque;

use anyhow::{Result, ensure};
use contracts::hearth::{
    archive::v1::{Template, template_service_client::TemplateServiceClient},
    billing::v1::tariff_service_client::TariffServiceClient,
};

use super::{
    cast::{ACCOUNTANT, ARCHIVIST, CONTRACT_OFFICER, Cast, OPERATOR, said, until},
    checks::Standing,
    city,
    stage::{Chapter, Stage},
};
use crate::import::{CHUNK, Customers, FileKind, Meters, Rows, Taken, ToldOfTariff, Unit, figures::count, send, tariff_file, tariff_request, template};

/// Rows on their way, and what was said to them.
pub struct Batch<'a, R> {
    chunks: VecDeque<Vec<R>>,
    chapter: &'a Chapter,
    /// Rows of each chunk that is not answered yet.
    sizes: VecDeque<usize>,
    pub taken: Taken,
}

impl<R> Rows<R> for Batch<'_, R> {
    fn next(&mut self) -> Result<Option<Vec<R>>> {
        let chunk = self.chunks.pop_front();
        self.sizes.extend(chunk.as_ref().map(Vec::len));
        Ok(chunk)
    }

    fn answered(&mut self, answer: Taken) -> Result<()> {
        self.chapter.step(self.sizes.pop_front().unwrap_or_default());
        self.taken.accepted = self.taken.accepted.saturating_add(answer.accepted);
        self.taken.already = self.taken.already.saturating_add(answer.already);
        self.taken.held = self.taken.held.saturating_add(answer.held);
        self.taken.refused.extend(answer.refused);
        self.taken.warnings.extend(answer.warnings);
        Ok(())
    }
}

/// Sends rows as an import does, in chunks of at most 500.
pub async fn load<K: FileKind>(kind: &K, key: &str, rows: &[K::Row], chapter: &Chapter) -> Result<Taken> {
    let chunks = rows.chunks(CHUNK).map(<[K::Row]>::to_vec).collect();
    let mut batch = Batch {
        chunks,
        chapter,
        sizes: VecDeque::new(),
        taken: Taken::default(),
    };
    send(kind, key, false, &mut batch).await?;
    Ok(batch.taken)
}

/// What was filed.
pub struct Filed {
    /// Template of the contracts, with its clauses.
    pub template: Template,
    pub customers: i64,
}

pub async fn file_the_city(cast: &Cast, stage: &Stage) -> Result<Filed> {
    let template = template::publish_where_absent(&mut TemplateServiceClient::new(cast.ask("archive", CONTRACT_OFFICER)?)).await?;

    let kind = Customers {
        client: cast.ask("archive", ARCHIVIST)?,
        template_id: None,
    };
    let rows = city::as_imported(&kind, cast.city.register())?;
    let chapter = stage.chapter("customers", rows.len());
    chapter.doing("filing parties, premises, accounts and contracts");
    let customers = load(&kind, "the year 2025: customers", &rows, &chapter).await?;
    ensure!(
        customers.refused.is_empty(),
        "{} customers were refused, the first for {:?}",
        customers.refused.len(),
        customers.refused.first()
    );
    chapter.done(&format!("{} filed with premises, account and contract", count(customers.accepted)));

    let chapter = stage.chapter("tariff", 0);
    let tariff = tariff_request(city::TARIFF, tariff_file(city::TARIFF)?, &ToldOfTariff::default())?;
    let (name, classes) = (tariff.name.clone(), tariff.classes.len());
    said("the tariff", TariffServiceClient::new(cast.ask("billing", ACCOUNTANT)?).publish_tariff(tariff)).await?;
    chapter.done(&format!("{name}: {classes} classes of use"));

    let kind = Meters {
        client: cast.ask("billing", OPERATOR)?,
        unit: Unit::M3,
    };
    let rows = city::as_imported(&kind, cast.city.register())?;
    let chapter = stage.chapter("meters", rows.len());
    chapter.doing("waiting until billing has heard of the contracts");
    until("billing hearing of the contracts", async || {
        Ok(Standing::ask(cast).await?.has_taken("billing", "archive").then_some(()))
    })
    .await?;
    chapter.doing("entering meters");
    let meters = load(&kind, "the year 2025: meters", &rows, &chapter).await?;
    ensure!(
        meters.refused.is_empty(),
        "{} meters were refused, the first for {:?}",
        meters.refused.len(),
        meters.refused.first()
    );
    chapter.done(&format!("{} entered where they hang", count(meters.accepted)));

    Ok(Filed {
        template,
        customers: customers.accepted,
    })
}
