//! Figures of one or more panels, one below the other, as SVG. The legend stands above them, where
//! it hides nothing.

mod axis;

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;

use axis::Axis;
pub(crate) use axis::Scale;

const WIDTH: u32 = 860;
const HEAD: u32 = 44;
const LEGEND_ROW: u32 = 20;
const PANEL: u32 = 320;
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A whole drawing.
pub(crate) struct Figure {
    title: String,
    panels: Vec<Panel>,
}

/// One coordinate system.
pub(crate) struct Panel {
    title: String,
    x: X,
    y_label: String,
    y_scale: Scale,
    series: Vec<Series>,
}

/// What lies to the right.
enum X {
    Values { label: String, scale: Scale },
    Categories(Vec<String>),
}

/// What belongs together: a line, or the bars of one colour.
struct Series {
    name: String,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

impl Figure {
    pub(crate) fn new(title: impl Into<String>, panels: Vec<Panel>) -> Self {
        Self { title: title.into(), panels }
    }

    /// The drawing as a file's text.
    pub(crate) fn svg(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.draw(&mut text).map_err(|error| anyhow::anyhow!(error))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Result<(), Error> {
        let legend = self.legend();
        let rows = legend.last().map_or(0, |entry| entry.row + 1);
        let head = HEAD + LEGEND_ROW * rows;
        let height = head + PANEL * self.panels.len() as u32;
        let root = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let title = TextStyle::from((FONT, 18).into_font()).color(&INK);
        root.draw_text(&self.title, &title, (14, 10))?;
        let style = TextStyle::from((FONT, 14).into_font()).color(&INK);
        for entry in &legend {
            let top = (HEAD + LEGEND_ROW * entry.row) as i32;
            let colour = colour_of(entry.name);
            for &(from, to) in if entry.dashed { &[(0, 7), (11, 18)][..] } else { &[(0, 18)] } {
                let corners = [(entry.left + from, top), (entry.left + to, top + 5)];
                root.draw(&Rectangle::new(corners, colour.filled()))?;
            }
            root.draw_text(entry.name, &style, (entry.left + 24, top - 5))?;
        }
        let (_, body) = root.split_vertically(head);
        for (panel, area) in self.panels.iter().zip(body.split_evenly((self.panels.len(), 1))) {
            panel.draw(&area)?;
        }
        root.present()?;
        Ok(())
    }

    /// Each name once, in columns of one width.
    fn legend(&self) -> Vec<Entry<'_>> {
        let mut names: Vec<(&str, bool)> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            let name = (&*series.name, series.dashed);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let longest = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) as u32;
        let column = 40 + 8 * longest;
        let columns = ((WIDTH - 16) / column).max(1);
        // An even number keeps the two lines of a variant side by side.
        let columns = if columns > 2 { columns / 2 * 2 } else { columns };
        let place = |(at, (name, dashed))| {
            let left = (16 + column * (at % columns)) as i32;
            Entry { name, dashed, left, row: at / columns }
        };
        (0..).zip(names).map(place).collect()
    }
}

/// A name of the legend and its place.
struct Entry<'a> {
    name: &'a str,
    dashed: bool,
    left: i32,
    row: u32,
}

impl Panel {
    /// Lines over numbers.
    pub(crate) fn lines(title: impl Into<String>, x: (&str, Scale), y: (&str, Scale)) -> Self {
        let x = X::Values { label: x.0.to_owned(), scale: x.1 };
        let (y_label, y_scale) = (y.0.to_owned(), y.1);
        Self { title: title.into(), x, y_label, y_scale, series: Vec::new() }
    }

    /// Groups of bars, one group for each name.
    pub(crate) fn bars<T: Display>(
        title: impl Into<String>,
        names: impl IntoIterator<Item = T>,
        y: (&str, Scale),
    ) -> Self {
        let x = X::Categories(names.into_iter().map(|name| name.to_string()).collect());
        let (y_label, y_scale) = (y.0.to_owned(), y.1);
        Self { title: title.into(), x, y_label, y_scale, series: Vec::new() }
    }

    /// Adds a line. Points without a value are left out.
    pub(crate) fn line(
        &mut self,
        name: impl Display,
        points: impl IntoIterator<Item = (f64, Option<f64>)>,
    ) {
        self.push(name, false, points);
    }

    /// Adds a dashed line.
    pub(crate) fn dashed(
        &mut self,
        name: impl Display,
        points: impl IntoIterator<Item = (f64, Option<f64>)>,
    ) {
        self.push(name, true, points);
    }

    /// Adds the bars of one colour, one for each name in their order.
    pub(crate) fn bar(
        &mut self,
        name: impl Display,
        heights: impl IntoIterator<Item = Option<f64>>,
    ) {
        self.push(name, false, heights.into_iter().enumerate().map(|(at, y)| (at as f64, y)));
    }

    fn push(
        &mut self,
        name: impl Display,
        dashed: bool,
        points: impl IntoIterator<Item = (f64, Option<f64>)>,
    ) {
        let points = points.into_iter().filter_map(|(x, y)| Some((x, y?))).collect();
        self.series.push(Series { name: name.to_string(), dashed, points });
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Error>
    where
        B::ErrorType: Send + Sync + 'static,
    {
        let (x, y) = (self.x_axis(), self.y_axis());
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, TextStyle::from((FONT, 15).into_font()).color(&INK))
            .margin(10)
            .margin_right(26)
            .x_label_area_size(42)
            .y_label_area_size(66)
            .build_cartesian_2d(x, y)?;
        let style = TextStyle::from((FONT, 13).into_font()).color(&INK);
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(TRANSPARENT).bold_line_style(GRID).axis_style(INK);
        mesh.label_style(style).y_desc(&self.y_label).x_labels(40).y_labels(40);
        if let X::Values { label, .. } = &self.x {
            mesh.x_desc(label);
        }
        mesh.draw()?;
        for (at, series) in self.series.iter().enumerate() {
            let colour = colour_of(&series.name);
            if let X::Categories(_) = self.x {
                // Bars of one group stand side by side in eight tenths of its room.
                let width = 0.8 / self.series.len() as f64;
                chart.draw_series(series.points.iter().map(|&(x, y)| {
                    let left = x - 0.4 + width * at as f64;
                    Rectangle::new([(left, 0.0), (left + width * 0.92, y)], colour.filled())
                }))?;
            } else {
                let points = &series.points;
                let line = colour.stroke_width(2);
                if series.dashed {
                    chart.draw_series(DashedLineSeries::new(points.iter().copied(), 7, 5, line))?;
                } else {
                    chart.draw_series(LineSeries::new(points.iter().copied(), line))?;
                }
                chart.draw_series(points.iter().map(|&at| Circle::new(at, 3, colour.filled())))?;
            }
        }
        Ok(())
    }

    fn x_axis(&self) -> Axis {
        match &self.x {
            X::Values { scale, .. } => {
                let axis = Axis::around(*scale, self.all().map(|point| point.0));
                if *scale == Scale::Log {
                    axis.marked_at(self.all().map(|point| point.0))
                } else {
                    axis
                }
            }
            X::Categories(names) => Axis::of_names(names),
        }
    }

    fn y_axis(&self) -> Axis {
        let values = self.all().map(|point| point.1);
        match self.y_scale {
            Scale::Linear => Axis::around(Scale::Linear, values.chain([0.0])),
            // Bars need a bottom to stand on.
            Scale::Log if matches!(self.x, X::Categories(_)) => {
                Axis::around(Scale::Log, values.chain([0.0]))
            }
            Scale::Log => Axis::around(Scale::Log, values),
        }
    }

    fn all(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.series.iter().flat_map(|series| series.points.iter().copied())
    }
}

/// Colours that the colour-blind tell apart too; each variant has its own in all figures.
fn colour_of(name: &str) -> RGBColor {
    let begins = |with: &str| name.starts_with(with);
    match name {
        _ if begins("swimmer") => RGBColor(0xd5, 0x5e, 0x00),
        _ if begins("swim") => RGBColor(0x80, 0x80, 0x80),
        _ if begins("lifeguard") => RGBColor(0x00, 0x72, 0xb2),
        _ if begins("memberlist") => RGBColor(0xe6, 0x9f, 0x00),
        _ if begins("no-rotation") => RGBColor(0x56, 0xb4, 0xe9),
        _ if begins("no-corroboration") => RGBColor(0xcc, 0x79, 0xa7),
        _ if begins("other-timeout") => RGBColor(0x00, 0x9e, 0x73),
        _ if begins("no-inquiry") => RGBColor(0x99, 0x99, 0xff),
        _ if begins("no-isolation-guard") => RGBColor(0x00, 0x00, 0x00),
        _ if begins("no-stall-guard") => RGBColor(0xb8, 0xa8, 0x00),
        _ if begins("no-digest") => RGBColor(0x8c, 0x51, 0x0a),
        _ => INK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_without_any_value_is_drawn_empty() {
        let mut lines = Panel::lines("nothing", ("x", Scale::Log), ("y", Scale::Log));
        lines.line("swim", [(1.0, None)]);
        let mut bars = Panel::bars("nothing", ["a", "b"], ("y", Scale::Linear));
        bars.bar("swim", [None, Some(0.0)]);
        let svg = Figure::new("title", vec![lines, bars]).svg().unwrap();
        assert!(svg.contains("</svg>") && svg.contains("swim"));
    }
}
