//! The service, with its concerts and dates in SQLite: `sqlite-catalog FILE`.
//!
//! Everything else comes from the configuration, as in `boxoffice serve`.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clocks::SystemClock;
use ports::Clock as _;
use ports::concert::{ConcertCatalog, PageNumber, PageRequest, PageSize};
use ports::sample_catalog::{self, SampleSize};
use ports::schedule::ScheduleBook;
use service::config::{self, Loaded, Sources};
use service::{Adapter, Application};
use sqlite_catalog::{SQLITE, SqliteCatalog};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(file) = arguments.next().map(PathBuf::from) else {
        return Err("usage: sqlite-catalog FILE [KEY=VALUE ...]".into());
    };
    let overrides = arguments.filter_map(|setting| setting.into_string().ok()).collect();
    let Loaded { config, .. } = config::load(&Sources { file: None, overrides })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let catalog = Arc::new(SqliteCatalog::open(&file).await?);
        fill(&catalog, config.catalog.sample_concerts).await?;
        let concerts: Arc<dyn ConcertCatalog> = Arc::clone(&catalog) as _;
        let dates: Arc<dyn ScheduleBook> = catalog;
        let application = Application::builder(&config)
            .concert_catalog(Adapter::new(concerts).of_system(SQLITE.as_str()))
            .schedule_book(Adapter::new(dates).of_system(SQLITE.as_str()))
            .build()
            .await?;
        println!("listening on http://{}", application.public_address());
        let stop = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        application.run_until_stopped(stop).await?;
        Ok(())
    })
}

/// Writes the sample into an empty file.
async fn fill(catalog: &SqliteCatalog, concerts: u32) -> Result<(), Box<dyn Error>> {
    let first = PageRequest { number: PageNumber::new(1)?, size: PageSize::new(1)? };
    if catalog.page(first).await?.total == 0 {
        let today = SystemClock.now();
        let sample = sample_catalog::concerts(SampleSize::of_concerts(concerts), today);
        catalog.add(sample.collect()).await?;
    }
    Ok(())
}
