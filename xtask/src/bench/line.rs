//! Linear regression, with which the benchmark of the cost separates fixed and proportional parts.

/// A straight line `fixed + slope × x`, fitted by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) fixed: f64,
    pub(crate) slope: f64,
}

impl Line {
    /// Fits a line to the points. The line is flat if there are no points or if all of them have
    /// the same `x`.
    pub(crate) fn through(points: &[(f64, f64)]) -> Self {
        let count = points.iter().map(|_| 1.0).sum::<f64>().max(1.0);
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
        Self { fixed: slope.mul_add(-mean_x, mean_y), slope }
    }

    /// Returns the largest vertical distance of a point from the line.
    pub(crate) fn largest_distance(self, points: &[(f64, f64)]) -> f64 {
        let distance = |(x, y): &(f64, f64)| (y - self.slope.mul_add(*x, self.fixed)).abs();
        points.iter().map(distance).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_line_matches_collinear_points_and_reports_the_largest_distance() {
        let straight = [(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)];
        let line = Line::through(&straight);
        assert!((line.fixed - 3.0).abs() < 1e-9 && (line.slope - 2.0).abs() < 1e-9);
        assert!(line.largest_distance(&straight) < 1e-9);
        let bent = [(0.0, 0.0), (1.0, 0.0), (2.0, 3.0)];
        assert!((Line::through(&bent).largest_distance(&bent) - 1.0).abs() < 1e-9);
        assert_eq!(Line::through(&[]), Line { fixed: 0.0, slope: 0.0 });
    }
}
