// Package layout places the boxes of a directed graph on a page: in ranks from
// top to bottom, so that edges point down, boxes do not overlap and few edges
// cross. It knows sizes and edges, not what they mean, and neither draws nor
// reads anything.
//
// The frame is that of K. Sugiyama, S. Tagawa and M. Toda, "Methods for Visual
// Understanding of Hierarchical System Structures" (IEEE Transactions on
// Systems, Man and Cybernetics 11(2), 1981): break cycles, assign ranks, order
// each rank by the barycentre of its neighbours, assign coordinates. Sweeps,
// weights of edges and the transposition of neighbours are after E. R. Gansner,
// E. Koutsofios, S. C. North and K.-P. Vo, "A Technique for Drawing Directed
// Graphs" (IEEE Transactions on Software Engineering 19(3), 1993). Crossings
// are counted as in W. Barth, M. Juenger and P. Mutzel, "Simple and Efficient
// Bilayer Cross Counting" (Graph Drawing, 2002). Coordinates of one rank are
// an isotonic regression, solved by pooling adjacent violators (M. Ayer et al.,
// "An Empirical Distribution Function for Sampling with Incomplete
// Information", Annals of Mathematical Statistics 26(4), 1955).
package layout
