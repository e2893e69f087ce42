//! D1, D8, E1, M1, M2: kill -9 of billing, of another service or of all, at seeded moments under eight writers; now and then SIGTERM or SIGSTOP instead.

use std::time::{Duration, Instant};

use database::Engine;

use super::{Scene, allowed, p95, seconds};
use crate::{SERVICES, check, load::Load};

/// O13: how soon a service that goes on takes writes again, in seconds.
const STILL: u64 = 5;

/// D8: how soon a service must serve again.
fn limit(engine: Engine) -> Duration {
    allowed(match engine {
        Engine::Sqlite => 2,
        Engine::Postgres => 5,
    })
}

/// Each round has moments and victims of its own.
pub async fn run(engine: Engine, round: usize, cycles: usize) -> Option<String> {
    let mut scene = Scene::set(&format!("kills {round}"), engine, Load::HOMES).await?;
    let load = Load::start(&scene.site, &scene.city, &scene.seed);
    let (mut serving, mut writing, mut killed, mut drained, mut frozen) = (vec![], vec![], 0, 0, 0);
    for _ in 0..cycles {
        tokio::time::sleep(Duration::from_millis(scene.seed.within(200, 3000))).await;
        // M1: at no moment anything else.
        check::ledger(&scene.site).await;
        let victims: Vec<_> = match scene.seed.within(0, 8) {
            0..4 => vec!["billing"],
            4..7 => vec![*scene.seed.pick(&["archive", "hall", "vendor"])],
            _ => SERVICES.map(|s| s.name).to_vec(),
        };
        let how = scene.seed.within(0, 5);
        if how == 1 {
            // In the middle of whatever it does, and for as long as it happens to be.
            for name in &victims {
                scene.site.signal(name, "STOP");
            }
            tokio::time::sleep(Duration::from_millis(scene.seed.within(50, 2000))).await;
            for name in &victims {
                scene.site.signal(name, "CONT");
            }
            let since = Instant::now();
            for name in &victims {
                let back = load.answered(name, since).await.unwrap_or_else(|| panic!("{name} takes no write"));
                assert!(back <= allowed(STILL), "{name} took {} after it stood still", seconds(back));
            }
            frozen += victims.len();
            continue;
        }
        if how == 0 {
            // As an operator ends it: what is in hand is answered first.
            for name in &victims {
                let status = scene.site.terminate(name).await;
                assert_eq!(status.code(), Some(0), "{name} after SIGTERM under load");
            }
            drained += victims.len();
        } else {
            for name in &victims {
                scene.site.kill(name);
            }
            killed += victims.len();
        }
        let down = Instant::now();
        for name in &victims {
            scene.site.spawn(name, None);
        }
        for name in &victims {
            scene.site.serving(name).await;
            serving.push(down.elapsed());
        }
        for name in &victims {
            writing.push(load.answered(name, down).await.unwrap_or_else(|| panic!("{name} takes no write")));
        }
    }
    load.stop().await;
    let (serving, writing) = (p95(serving), p95(writing));
    let figures = format!(
        "{killed} kills, {drained} ends by SIGTERM and {frozen} stops by SIGSTOP in {cycles} cycles; p95 until SERVING {}, until the first write {}",
        seconds(serving),
        seconds(writing)
    );
    let figures = scene.end(&figures).await;
    assert!(serving <= limit(engine), "p95 until SERVING is {}", seconds(serving));
    Some(figures)
}
