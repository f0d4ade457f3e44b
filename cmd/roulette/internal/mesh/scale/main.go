package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	seed := flag.Uint64("seed", 1, "of everything")
	most := flag.Int("people", 10_000_000, "largest number of people")
	measured := flag.Duration("measure", time.Minute, "time in the model that is measured, after half of it")
	svg := flag.String("svg", "", "file to draw the picture into")
	flag.Parse()

	var rows []row
	fmt.Println(heading)
	for people := 100; people <= *most; people *= 10 {
		for _, likes := range []bool{false, true} {
			for _, nodes := range []int{1, 10, 100} {
				for _, latency := range []int{1, 80} {
					if nodes == 1 && latency != 1 {
						continue
					}
					r := row{people, nodes, latency, likes, simulate(*seed, people, nodes, latency, likes, *measured)}
					rows = append(rows, r)
					fmt.Println(r)
				}
			}
		}
	}
	if *svg == "" {
		return
	}
	if err := os.WriteFile(*svg, []byte(picture(rows)), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// simulate runs one world. A small one is run for longer, so that there is
// something to measure.
func simulate(seed uint64, people, nodes, latency int, likes bool, measured time.Duration) *result {
	w := newWorld(seed, people, nodes, latency, likes)
	length := int(measured.Milliseconds())
	if people < 100_000 {
		length *= min(100_000/people, 100)
	}
	w.run(min(length/2, 5*60_000))
	w.measure = true
	w.run(length)
	return w.result
}
