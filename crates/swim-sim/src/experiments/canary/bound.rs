//! What a figure may be, and what it is.

use std::fmt;

use anyhow::{Context, ensure};
use serde_json::Value;

/// What a figure may be in some rows of an experiment's JSON.
pub(super) struct Bound {
    /// Which rows: pairs `key=value`, separated by `;`. Those of `swimmer`, if no variant is named.
    rows: &'static str,
    /// The key of the figure.
    pub(super) key: &'static str,
    limit: Limit,
}

enum Limit {
    AtMost(f64),
    Between(f64, f64),
    /// At most what the same row of `lifeguard` has, or this if it is more.
    LifeguardsOr(f64),
}

/// The row that is nearest to its bound, or farthest beyond it.
pub(super) struct Reading<'a> {
    pub(super) bound: String,
    pub(super) measured: String,
    pub(super) row: &'a Value,
    pub(super) kept: bool,
}

impl Bound {
    /// No row has more.
    pub(super) const fn at_most(rows: &'static str, key: &'static str, most: f64) -> Self {
        Self { rows, key, limit: Limit::AtMost(most) }
    }

    /// Each row is within these, both included.
    pub(super) const fn between(
        rows: &'static str,
        key: &'static str,
        least: f64,
        most: f64,
    ) -> Self {
        Self { rows, key, limit: Limit::Between(least, most) }
    }

    /// No row has more than the larger of the same row of `lifeguard` and `or`.
    pub(super) const fn lifeguards_or(rows: &'static str, key: &'static str, or: f64) -> Self {
        Self { rows, key, limit: Limit::LifeguardsOr(or) }
    }

    /// The reading of the row that is worst off.
    ///
    /// # Errors
    /// If there is no such row or no such figure in it: then the canary looks at nothing.
    pub(super) fn read<'a>(&self, rows: &'a [Value]) -> anyhow::Result<Reading<'a>> {
        let rows_meant = self.rows_of(rows, None)?;
        let most = self.most(rows, rows_meant.len())?;
        let least = match self.limit {
            Limit::Between(least, _) => least,
            _ => f64::NEG_INFINITY,
        };
        let mut worst: Option<(f64, Reading<'a>)> = None;
        for (row, most) in rows_meant.into_iter().zip(most) {
            let figure = self.figure(row)?;
            let excess = (figure - most).max(least - figure);
            if worst.as_ref().is_none_or(|(other, _)| excess > *other) {
                let bound = match self.limit {
                    Limit::Between(..) => format!("{} to {}", number(least), number(most)),
                    _ => format!("at most {}", number(most)),
                };
                let kept = excess <= 0.0;
                worst = Some((excess, Reading { bound, measured: number(figure), row, kept }));
            }
        }
        Ok(worst.context("no such row")?.1)
    }

    /// The most that each of its rows may have.
    fn most(&self, rows: &[Value], len: usize) -> anyhow::Result<Vec<f64>> {
        let of_lifeguard = |most: &dyn Fn(f64) -> f64| {
            let theirs = self.rows_of(rows, Some("lifeguard"))?;
            ensure!(theirs.len() == len, "lifeguard has other rows");
            theirs.into_iter().map(|row| Ok(most(self.figure(row)?))).collect()
        };
        match self.limit {
            Limit::AtMost(most) | Limit::Between(_, most) => Ok(vec![most; len]),
            Limit::LifeguardsOr(or) => of_lifeguard(&|theirs| theirs.max(or)),
        }
    }

    /// Its rows, of this variant if one is named. An experiment gives them in one order for each.
    fn rows_of<'a>(
        &self,
        rows: &'a [Value],
        variant: Option<&str>,
    ) -> anyhow::Result<Vec<&'a Value>> {
        let pairs = self.pairs()?;
        let named = pairs.iter().find(|(key, _)| *key == "variant").map(|(_, value)| *value);
        let variant = variant.or(named).unwrap_or("swimmer");
        let is_meant = |row: &&Value| {
            text(&row["variant"]) == variant
                && pairs.iter().all(|(key, value)| *key == "variant" || text(&row[*key]) == *value)
        };
        Ok(rows.iter().filter(is_meant).collect())
    }

    /// The figure of a row. What never came is infinite.
    fn figure(&self, row: &Value) -> anyhow::Result<f64> {
        match row.get(self.key).context("no such figure")? {
            Value::Null => Ok(f64::INFINITY),
            value => value.as_f64().context("the figure is no number"),
        }
    }

    fn pairs(&self) -> anyhow::Result<Vec<(&str, &str)>> {
        let pairs = self.rows.split(';').map(str::trim).filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').context("rows are named by `key=value`")).collect()
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            "" => f.write_str(self.key),
            rows => write!(f, "{} of {rows}", self.key),
        }
    }
}

/// A value as the rows of a bound name it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// With at most three digits behind the point, as in the rows.
fn number(figure: f64) -> String {
    if figure == f64::INFINITY {
        return "never".to_owned();
    }
    let text = format!("{figure:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Value> {
        let row = |variant, nodes, case, fp: Value| json!({"variant": variant, "nodes": nodes, "case": case, "blocked": null, "fp": fp});
        vec![
            row("lifeguard", 32, "20 %", json!(600)),
            row("swimmer", 32, "20 %", json!(2)),
            row("lifeguard", 128, "20 %", json!(3)),
            row("swimmer", 128, "20 %", json!(12)),
            row("swimmer", 128, "other", json!(null)),
        ]
    }

    fn read(bound: Bound) -> (bool, String, String) {
        let rows = rows();
        let reading = bound.read(&rows).unwrap();
        (reading.kept, reading.bound, reading.measured)
    }

    #[test]
    fn the_worst_row_decides() {
        let at_most = |rows, most| read(Bound::at_most(rows, "fp", most));
        assert_eq!(at_most("nodes=32", 2.0), (true, "at most 2".into(), "2".into()));
        assert_eq!(at_most("case=20 %", 2.0), (false, "at most 2".into(), "12".into()));
        assert_eq!(at_most("case=20 %; nodes=32", 2.5).1, "at most 2.5");
        assert_eq!(at_most("variant=lifeguard; blocked=null", 600.0).2, "600");
        assert_eq!(read(Bound::between("nodes=32", "fp", 2.0, 4.0)).1, "2 to 4");
        assert!(!read(Bound::between("nodes=32", "fp", 2.1, 4.0)).0);
    }

    #[test]
    fn what_never_came_is_beyond_all_bounds() {
        let reading = read(Bound::at_most("case=other", "fp", 1_000.0));
        assert_eq!(reading, (false, "at most 1000".into(), "never".into()));
    }

    #[test]
    fn a_row_is_compared_with_lifeguards_row_of_the_same_place() {
        let lifeguards_or = |or| read(Bound::lifeguards_or("case=20 %", "fp", or));
        assert_eq!(lifeguards_or(10.0), (false, "at most 10".into(), "12".into()));
        assert!(lifeguards_or(12.0).0);
    }

    #[test]
    fn a_bound_that_looks_at_nothing_is_an_error() {
        for bound in [
            Bound::at_most("nodes=33", "fp", 1.0),
            Bound::at_most("nodes=32", "fps", 1.0),
            Bound::at_most("nodes=32", "case", 1.0),
            Bound::at_most("nodes", "fp", 1.0),
            Bound::lifeguards_or("case=other", "fp", 1.0),
        ] {
            assert!(bound.read(&rows()).is_err(), "{bound}");
        }
    }
}
