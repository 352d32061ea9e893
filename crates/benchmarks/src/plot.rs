//! Charts, as SVG.

use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;
use test_support::{Outcome, failed};

/// Points joined by a line.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A chart of lines.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// Whether the x axis is logarithmic.
    pub(crate) logarithmic: bool,
    pub(crate) series: Vec<Series>,
}

const SIZE: (u32, u32) = (760, 380);
const FONT: &str = "sans-serif";

/// Draws into a file.
///
/// # Errors
/// If there are no points, or the file cannot be written.
pub(crate) fn draw(chart: &Chart<'_>, file: &Path) -> Outcome {
    let all = || chart.series.iter().flat_map(|series| series.points.iter().copied());
    let (Some(x), Some(y)) = (range(all().map(|(x, _)| x)), range(all().map(|(_, y)| y))) else {
        return Err(failed(format!("nothing to draw in {}", file.display())));
    };
    let y = 0.0..y.end * 1.08;
    let drawn =
        if chart.logarithmic { on_powers(chart, x, y, file) } else { on_steps(chart, x, y, file) };
    drawn.map_err(|error| failed(format!("drawing {}: {error}", file.display())))
}

fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    let low = values.iter().copied().min_by(f64::total_cmp)?;
    let high = values.iter().copied().max_by(f64::total_cmp)?;
    Some(low..if high > low { high } else { low + 1.0 })
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The two functions differ only in the type of the x axis.
macro_rules! draw_on {
    ($chart:expr, $x:expr, $y:expr, $file:expr) => {{
        let (chart, area) = ($chart, SVGBackend::new($file, SIZE).into_drawing_area());
        area.fill(&WHITE)?;
        let mut canvas = ChartBuilder::on(&area)
            .caption(chart.title, (FONT, 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(76)
            .build_cartesian_2d($x, $y)?;
        canvas
            .configure_mesh()
            .x_desc(chart.x)
            .y_desc(chart.y)
            .light_line_style(WHITE)
            .x_label_formatter(&|value| short(*value))
            .y_label_formatter(&|value| short(*value))
            .draw()?;
        for (index, series) in chart.series.iter().enumerate() {
            let colour = Palette99::pick(index).stroke_width(2);
            canvas
                .draw_series(
                    LineSeries::new(series.points.iter().copied(), colour)
                        .point_size(point_size(series)),
                )?
                .label(&series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        if chart.series.len() > 1 {
            canvas
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.3))
                .draw()?;
        }
        area.present()?;
        Ok(())
    }};
}

fn on_powers(chart: &Chart<'_>, x: Range<f64>, y: Range<f64>, file: &Path) -> Drawn {
    draw_on!(chart, x.log_scale(), y, file)
}

fn on_steps(chart: &Chart<'_>, x: Range<f64>, y: Range<f64>, file: &Path) -> Drawn {
    draw_on!(chart, x, y, file)
}

/// Draws the points themselves if there are few.
fn point_size(series: &Series) -> u32 {
    if series.points.len() <= 20 { 3 } else { 0 }
}

/// A number in as few characters as possible.
fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(logarithmic: bool, points: Vec<(f64, f64)>) -> Outcome<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chart.svg");
        let series = vec![
            Series { name: "one".to_owned(), points },
            Series { name: "two".to_owned(), points: vec![(10.0, 3.0)] },
        ];
        draw(&Chart { title: "A title", x: "people", y: "cost", logarithmic, series }, &file)?;
        Ok(std::fs::read_to_string(file).unwrap())
    }

    #[test]
    fn a_chart_has_its_title_its_names_and_its_points() {
        for logarithmic in [true, false] {
            let text = drawn(logarithmic, vec![(10.0, 1.0), (1_000_000.0, 2.0)]).unwrap();
            for expected in
                ["<svg", "A title", "people", "cost", "one", "two", "<polyline", "<circle"]
            {
                assert!(text.contains(expected), "{expected} is not in {text}");
            }
        }
    }

    #[test]
    fn one_point_is_enough_to_draw() {
        drawn(true, vec![(10.0, 3.0)]).unwrap();
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([0.0, 0.25, 10.0, 1_500.0, 2e6].map(short), ["0", "0.25", "10", "1.5k", "2M"]);
    }
}
