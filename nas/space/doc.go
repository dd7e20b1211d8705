// Package space says which networks a search may build.
//
// A [Space] is a set of networks for one [Task]; a [Genome] names one of them. The genome is a
// small value with a one-line text form and a JSON form, and knows nothing of layers. The
// space reads genomes, draws them at random, prices them ([Cost]: FLOPs, MACs, parameters and
// activation memory from the genome alone), refuses what is outside the [Constraints] with a
// reason, and builds the network as a layers.Module.
//
// Words used here:
//
//   - operation: what a layer computes, such as conv3x3, with a parameter such as its
//     output channels;
//   - connection: how the output of an operation joins what came before it;
//   - key: a string that is equal for two genomes exactly if they build the same network (in nb201, one of the same published
//     class), so that a search never trains one network twice;
//   - reason: the words in which [Space.Check] says why a genome is not allowed; its error is a
//     *[Violation].
//
// A strategy needs nothing but the Space interface. Abilities that only some spaces have are
// separate small interfaces that a strategy asks for by a type assertion, and it refuses a
// space that lacks one: [Variable] for evolution, [Countable] for a grid, [Shareable] for strict fairness of a supernet. All spaces of this package have them.
//
// [New] makes a space by name and [List] names them all:
//
//   - chain: three to eight layers in a row, each with one of five operations and one of
//     four connections. See [ChainGenome] for its text form and [ChainLayer] for its rules.
//   - seed-cell: a cell of four nodes, each the sum of one of five operations on every earlier state. See [DescribedGenome].
//   - darts: the cells of "DARTS: Differentiable Architecture Search". See [DartsGenome]. Networks have the
//     [Size] that [NewSized] is given.
//   - nb201: the cells of NAS-Bench-201. See [NB201Genome].
//   - macro: the eight layers of NAS-Bench-Macro. See [MacroGenome].
//
// [Read] makes a space of a user's own from YAML: a chain or cells, with the operations, parameters and constraints that the document lists.
//
// Package spacetest checks that a space keeps the rules.
package space
