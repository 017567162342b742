//! Axes: values, or their logarithms, between two ends, and their marks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::super::table;

/// How values lie on an axis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Zero, which has no logarithm, lies at the bottom.
    Log,
}

/// An axis: what lies between two values, or their logarithms, and its marks.
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// One that holds all these values.
    pub(super) fn around(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most, mut zero) = (f64::INFINITY, f64::NEG_INFINITY, false);
        for value in values {
            if scale == Scale::Log && value <= 0.0 {
                zero = true;
                continue;
            }
            least = least.min(value);
            most = most.max(value);
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        match scale {
            Scale::Linear => Self::linear(least, most),
            Scale::Log => Self::log(least, most, zero),
        }
    }

    /// One with a name at each whole number from 0 on.
    pub(super) fn of_names(names: &[String]) -> Self {
        let ticks = (0..).zip(names).map(|(at, name)| (f64::from(at), name.clone()));
        let to = names.len() as f64 - 0.5;
        Self { scale: Scale::Linear, from: -0.5, to, ticks: ticks.collect() }
    }

    fn linear(least: f64, most: f64) -> Self {
        let span = (most - least).max(1e-9);
        let magnitude = 10_f64.powf((span / 5.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| span / step <= 6.0).unwrap_or(span);
        let first = (least / step).floor();
        let count = (most / step).ceil() - first;
        let ticks = (0..=count.max(1.0) as u32).map(|n| step * (first + f64::from(n)));
        let ticks: Vec<_> = ticks.map(|tick| (tick, short(tick))).collect();
        let to = ticks.last().map_or(most, |(tick, _)| *tick);
        Self { scale: Scale::Linear, from: first * step, to, ticks }
    }

    fn log(least: f64, most: f64, zero: bool) -> Self {
        // Room below the least for what is zero.
        let from = if zero { least.log10().floor() - 0.5 } else { least.log10() - 0.05 };
        let to = most.log10().max(from + 0.5) + 0.05;
        let steps: &[f64] = if to - from < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = from.floor() as i32..=to.ceil() as i32;
        let ticks = decades.flat_map(|decade| {
            let decade = 10_f64.powi(decade);
            steps.iter().map(move |step| step * decade)
        });
        let within = |tick: &f64| tick.log10() >= from && tick.log10() <= to;
        let ticks = ticks.filter(within).map(|tick| (tick, short(tick)));
        let zero = zero.then(|| (0.0, "0".to_owned()));
        Self { scale: Scale::Log, from, to, ticks: zero.into_iter().chain(ticks).collect() }
    }

    /// With marks at these values, if they are few.
    pub(super) fn marked_at(mut self, values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        if values.len() <= 10 {
            self.ticks = values.into_iter().map(|value| (value, short(value))).collect();
        }
        self
    }

    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log if value <= 0.0 => self.from,
            Scale::Log => value.log10(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (self.place(*value) - self.from) / (self.to - self.from);
        limit.0 + (share.clamp(0.0, 1.0) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        match self.scale {
            Scale::Linear => self.from..self.to,
            Scale::Log => 10_f64.powf(self.from)..10_f64.powf(self.to),
        }
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let found = self.ticks.iter().find(|(tick, _)| tick == value);
        found.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// A number in few characters.
fn short(value: f64) -> String {
    let trimmed = |value: f64, unit: &str| {
        let text = format!("{value:.3}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match value.abs() {
        large if large >= 999_999.5 => trimmed(value / 1e6, "M"),
        large if large >= 99_999.5 => trimmed(value / 1e3, "k"),
        large if large >= 999.5 => table::count(value.round() as u64),
        _ => trimmed(value, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_all_its_values_between_round_numbers() {
        let axis = Axis::around(Scale::Linear, [3.2, 17.9].into_iter());
        assert!(axis.from <= 3.2 && axis.to >= 17.9);
        assert!(axis.ticks.iter().all(|(tick, _)| tick % 1.0 == 0.0));
        let axis = Axis::around(Scale::Log, [0.0, 3.0, 40_000.0].into_iter());
        assert_eq!(axis.format_ext(&0.0), "0");
        assert_eq!(axis.format_ext(&10_000.0), "10,000");
        let limit = (0, 1_000);
        assert_eq!(axis.map(&0.0, limit), 0);
        assert!(axis.map(&3.0, limit) > 0 && axis.map(&40_000.0, limit) < 1_000);
    }
}
