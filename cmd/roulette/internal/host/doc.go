// Package host is what the server asks of the machine and the Go runtime it runs
// on: how many descriptors there are, how much memory is in use, and whether it
// is short.
//
//	RaiseDescriptorLimit, OpenDescriptors, DescriptorLeft
//	FreeBytes   what is left of a disk
//	MemoryNow   the figures, for an operator's page
//	Pressure    tells when memory is short, before the kernel ends the process
//	Crowd       gives memory back to the system when many have come or gone
//
// # Concurrency
//
// Pressure and Crowd are looked after by one goroutine, at each tick of the
// server's clock; [Pressure.Short] is for any. Both collect garbage on a
// goroutine of its own, so that no tick waits for it.
package host
