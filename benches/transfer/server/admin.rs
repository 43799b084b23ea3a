//! `/_admin/…`: fills the server, sets how slow and strict it is, tells what it was asked and what it holds.

use serde_json::json;

use super::answer::{Answer, Refusal, json as told};
use super::faults::Config;
use super::request::Asked;
use super::seed;
use super::serve::Server;

/// The first word of the path of such a request.
pub const PATH: &str = "_admin";

pub fn answer(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let value = match &*asked.key {
        "seed" => seed::seed(server, asked),
        "clear" => seed::clear(server, asked),
        "count" => seed::count(server, asked)?,
        "stats" => server.stats.json(),
        "zero" => {
            server.stats.zero();
            json!({})
        }
        "config" => {
            server.faults.set(config(asked));
            json!({})
        }
        _ => return Err(Refusal::INVALID),
    };
    Ok(told(&value))
}

/// What is not given is zero.
fn config(asked: &Asked) -> Config {
    Config {
        lat_us: asked.number("lat_us").unwrap_or_default(),
        list_lat_us: asked.number("list_lat_us").unwrap_or_default(),
        writes_per_second: asked.number("wrate").unwrap_or_default(),
        copy_bps: asked.number("copy_bps").unwrap_or_default(),
        slow_percent: asked.number("slow_percent").unwrap_or_default(),
    }
}
