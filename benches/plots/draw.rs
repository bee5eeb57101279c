//! One plot of criterion's medians.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::Value;

/// A line for each way, over the sizes of the arrays; both axes are logarithmic.
pub(crate) struct Plot {
    /// The name of criterion's group, and of the file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) ways: &'static [&'static str],
    pub(crate) unit: &'static str,
    /// One `unit` in criterion's units.
    pub(crate) scale: f64,
}

/// Colours that most readers with a colour vision deficiency distinguish.
const COLOURS: [RGBColor; 3] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];

impl Plot {
    pub(crate) fn draw(
        &self,
        results: &Path,
        sizes: &[usize],
        folder: &Path,
    ) -> Result<(), Box<dyn Error>> {
        let mut lines = Vec::new();
        for way in self.ways {
            let point = |mib: &usize| Ok((*mib as f64, self.median(results, way, *mib)?));
            lines.push(
                sizes.iter().map(point).collect::<Result<Vec<_>, Box<dyn Error>>>()?,
            );
        }
        let values = || lines.iter().flatten().map(|(_, value)| *value);
        let lowest = values().fold(f64::MAX, f64::min);
        let highest = values().fold(f64::MIN, f64::max);
        // Whole powers of ten.
        let (bottom, top) =
            (10_f64.powf(lowest.log10().floor()), 10_f64.powf(highest.log10().ceil()));
        let (left, right) = (sizes[0] as f64 * 0.8, sizes[sizes.len() - 1] as f64 * 6.0);

        let path = folder.join(self.name).with_extension("svg");
        let root = SVGBackend::new(&path, (560, 300)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(60)
            .build_cartesian_2d((left..right).log_scale(), (bottom..top).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("MiB of the array")
            .y_desc(self.unit)
            .x_label_formatter(&|mib| format!("{mib}"))
            .y_label_formatter(&|value| format!("{value}"))
            .label_style(("sans-serif", 12))
            .draw()?;
        for ((way, line), colour) in self.ways.iter().zip(&lines).zip(&COLOURS) {
            let points = line.iter().copied();
            chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
            chart.draw_series(
                points.map(|point| Circle::new(point, 3, colour.filled())),
            )?;
            let Some((mib, value)) = line.last() else { continue };
            let style = ("sans-serif", 12).into_font().color(colour);
            let style = style.pos(Pos::new(HPos::Left, VPos::Center));
            let places = match *value {
                100.0.. => 0,
                10.0.. => 1,
                1.0.. => 2,
                _ => 3,
            };
            let text = format!("{way} {value:.places$} {}", self.unit);
            chart.draw_series([Text::new(text, (mib * 1.15, *value), style)])?;
        }
        root.present()?;
        println!("drawn: {}", path.display());
        Ok(())
    }

    /// Reads a median of criterion.
    fn median(
        &self,
        results: &Path,
        way: &str,
        mib: usize,
    ) -> Result<f64, Box<dyn Error>> {
        let path = results.join(self.name).join(way).join(mib.to_string());
        let path = path.join("new/estimates.json");
        let text =
            fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let json: Value = serde_json::from_str(&text)?;
        let median = json["median"]["point_estimate"].as_f64();
        Ok(median.ok_or("criterion has estimated no median")? / self.scale)
    }
}
