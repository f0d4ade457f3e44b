// Command scale simulates how strangers meet on many nodes, up to ten million of
// them, and prints a table (and with --svg a picture): how long people wait for a
// partner, how many chats are across nodes, and what the bus has to carry for it.
//
//	go run ./cmd/roulette/internal/mesh/scale
//
// It is a model, not the program: rules and times are those of the packages pairing
// and mesh, people and the network are drawn from the distributions in world.go. The
// same seed gives the same table.
//
//	people  chat, go on (next) or leave; for each that leaves another one comes
//	node    its own pool: open people, and those under each interest
//	bus     a beat of each node a second and at changes, offers in four steps, each
//	        with the latency of the bus
//
// Time goes in steps of 5 ms. An event stands in the slot of its step, so what ten
// million people do costs as much as happens.
package main
