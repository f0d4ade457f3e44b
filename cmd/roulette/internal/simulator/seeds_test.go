package simulator

// seeds have failed once, and for a reason that was in the server.
var seeds = []struct {
	seed  uint64
	found string
}{
	{8394145604935194458, "a connection that was ending was never abandoned while a backlog stood that nobody took"},
	{8961977862276700928, "a rich client that was about to end was paired, and sent a message of somebody it was not told of"},
	{2354779983466902320, "a worker that had backed off from accepting accepted because of a late event, and never listened again"},
	{999084135866221868, "an appointment by a clock that ran behind was kept a turn of the wheel late"},
	{5785856002881527858, "an appointment that was kept too early was not made again"},
	{5226964552640837360, "a worker that had stood still for long kept the seats of who was lost meanwhile for no time at all"},
	{13214317726962436447, "two pairs of one moment had one name, when the table was empty between them"},
	{5176870492664283232, "who had come back by another connection was looked for a partner where the old one had sat, by its last next"},
}
