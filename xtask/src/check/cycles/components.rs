//! Tarjan's algorithm for the strongly connected components of a graph.
//!
//! In a *strongly connected component*, every node is reachable from every other node. The check of
//! import cycles uses files as nodes and imports as edges. Files that import each other in a cycle
//! form a component of several nodes.

/// Returns the strongly connected components, each sorted. `edges[node]` contains the targets of
/// the edges from `node`.
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

/// State of the depth-first search.
struct Search<'a> {
    edges: &'a [Vec<usize>],
    /// Position of each node in the order of the visits. `None` if the search has not visited the
    /// node yet.
    order: Vec<Option<usize>>,
    /// Lowest position of a node that is reachable from each node, as far as it is known.
    lowest: Vec<usize>,
    /// Whether the component of each node is still incomplete.
    is_open: Vec<bool>,
    /// Visited nodes whose component is incomplete.
    open: Vec<usize>,
    /// Number of visited nodes.
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
    fn cycles_and_single_nodes_are_separate_components() {
        let edges = [vec![1], vec![2, 3], vec![0], vec![4], vec![3], vec![]];
        let mut components = strongly_connected(&edges);
        components.sort();
        assert_eq!(components, [vec![0, 1, 2], vec![3, 4], vec![5]]);
    }
}
