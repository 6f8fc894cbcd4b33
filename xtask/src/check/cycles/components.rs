//! Strongly connected components of a graph.

/// Returns the strongly connected components, each sorted (Tarjan's algorithm).
pub(super) fn strongly_connected(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        order: vec![None; edges.len()],
        lowest: vec![0; edges.len()],
        is_open: vec![false; edges.len()],
        open: Vec::new(),
        visited: 0,
        components: Vec::new(),
    };
    for node in 0..edges.len() {
        if search.order[node].is_none() {
            search.visit(node);
        }
    }
    search.components
}

struct Search<'a> {
    edges: &'a [Vec<usize>],
    /// Position in the order of visits.
    order: Vec<Option<usize>>,
    /// Lowest position that is reachable from the node.
    lowest: Vec<usize>,
    /// Whether the node's component is incomplete.
    is_open: Vec<bool>,
    open: Vec<usize>,
    visited: usize,
    components: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        let position = self.visited;
        self.visited += 1;
        self.order[node] = Some(position);
        self.lowest[node] = position;
        self.is_open[node] = true;
        self.open.push(node);
        for &next in &self.edges[node] {
            match self.order[next] {
                None => {
                    self.visit(next);
                    self.lowest[node] = self.lowest[node].min(self.lowest[next]);
                }
                Some(order) if self.is_open[next] => {
                    self.lowest[node] = self.lowest[node].min(order);
                }
                Some(_) => {}
            }
        }
        if self.lowest[node] == position {
            let start = self.open.iter().position(|&other| other == node).unwrap_or_default();
            let mut component = self.open.split_off(start);
            for &member in &component {
                self.is_open[member] = false;
            }
            component.sort_unstable();
            self.components.push(component);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_separated() {
        let edges = [vec![1], vec![2, 3], vec![0], vec![4], vec![3], vec![]];
        let mut components = strongly_connected(&edges);
        components.sort();
        assert_eq!(components, [vec![0, 1, 2], vec![3, 4], vec![5]]);
    }
}
