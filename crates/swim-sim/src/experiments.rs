//! What all experiments share: their arguments, and what they hand over.

pub(crate) mod canary;
pub(crate) mod churn;
pub(crate) mod conditions;
pub(crate) mod detect;
pub(crate) mod interval;
pub(crate) mod loss;
pub(crate) mod partition;
pub(crate) mod pause;
pub(crate) mod scale;
pub(crate) mod threshold;

mod lab;
mod plot;
mod progress;
mod runs;
mod table;
mod variant;

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;

use anyhow::Context;
use swim_sim::Environment;
use swimmer::{Config, ConfigBuilder, Profile};

use plot::Figure;
pub(crate) use table::Table;
use variant::Variant;

/// What every experiment can be told.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Also write the results there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also draw them there, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What decides everything that is left to chance.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// The preset of `swimmer`, whole or without an addition; the others have the periods of their
    /// papers, 1 s.
    #[arg(long, default_value_t = Profile::Lan)]
    profile: Profile,
    /// Which protocols to compare, all on the same engine. [default:
    /// swim,lifeguard,memberlist,swimmer; of `scale`: swimmer]
    #[arg(long, value_delimiter = ',', value_enum)]
    variants: Vec<Variant>,
    /// Instead, compare `swimmer` with what it is without each of its additions.
    #[arg(long, conflicts_with = "variants")]
    ablations: bool,
    /// The condition under which the experiment runs: a name with parameters, `loss:20` for example.
    /// `swim-sim conditions --list` lists them. [default: clean]
    #[arg(long, value_name = "NAME:N")]
    under: Option<Environment>,
    /// Settings that all variants get, instead of their own: `suspicion_min=2s,relays=5`. The names are
    /// those of `swimmer::ConfigBuilder`; a wrong one lists them.
    #[arg(long, value_delimiter = ',', value_name = "NAME=VALUE")]
    set: Vec<SetText>,
    /// How many runs at once; 0: as many as the machine has cores. It changes no result.
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
}

impl Common {
    fn variants(&self) -> Vec<Variant> {
        self.variants_or(&Variant::PROTOCOLS)
    }

    fn variants_or(&self, default: &[Variant]) -> Vec<Variant> {
        let named = if self.ablations { &Variant::ABLATIONS[..] } else { &self.variants };
        if named.is_empty() { default.to_vec() } else { named.to_vec() }
    }

    /// The settings of a variant, to change further.
    fn builder(&self, variant: Variant) -> ConfigBuilder {
        let set = |builder: ConfigBuilder, set: &SetText| set.apply(builder);
        self.set.iter().fold(variant.builder(self.profile), set)
    }

    /// The settings of a variant. [`check`](Self::check) has seen that they can work together.
    fn config(&self, variant: Variant) -> Config {
        self.builder(variant).build().expect("they were checked before the first run")
    }

    /// Whether what was set can work together, in every variant that is compared.
    ///
    /// # Errors
    /// When it cannot; the error names the settings.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for variant in self.variants() {
            self.builder(variant).build().with_context(|| format!("--set, for {variant}"))?;
        }
        Ok(())
    }

    /// What was set, as name and value.
    #[cfg(test)]
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        self.set.iter().map(|set| (&*set.name, &*set.value)).collect()
    }

    fn under(&self) -> Environment {
        self.under.unwrap_or(Environment::clean())
    }

    fn threads(&self) -> usize {
        match self.threads {
            0 => thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        }
    }
}

/// A setting and its value, which was found to be one.
#[derive(Clone, Debug)]
struct SetText {
    name: String,
    value: String,
}

impl SetText {
    fn apply(&self, builder: ConfigBuilder) -> ConfigBuilder {
        builder.set(&self.name, &self.value).expect("it was tried when it was read")
    }
}

impl FromStr for SetText {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, value) = text.split_once('=').context("a setting is NAME=VALUE")?;
        Config::builder(Profile::Lan).set(name, value)?;
        Ok(Self { name: name.into(), value: value.into() })
    }
}

/// What an experiment has found.
pub(crate) struct Report {
    /// For the terminal.
    pub(crate) tables: Vec<Table>,
    /// One object for each row.
    json: Vec<String>,
    figure: Figure,
}

impl Report {
    fn new(tables: Vec<Table>, rows: &[impl serde::Serialize], figure: Figure) -> Self {
        let object = |row| serde_json::to_string(row).expect("rows have no keys but strings");
        Self { tables, json: rows.iter().map(object).collect(), figure }
    }

    /// The rows of its JSON.
    fn rows(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        self.json.iter().map(|row| Ok(serde_json::from_str(row)?)).collect()
    }

    /// Writes the files that were asked for.
    pub(crate) fn write_files(&self, common: &Common) -> anyhow::Result<()> {
        if let Some(file) = &common.json {
            // One row a line, so that two results can be compared by eye and by diff.
            let text = format!("[\n  {}\n]\n", self.json.join(",\n  "));
            fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        if let Some(file) = &common.svg {
            let text = self.figure.svg().context("drawing")?;
            fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(())
    }
}
