package record_test

import (
	"fmt"

	"roulette/frame/record"
)

// What a server does with a text message from a client.
func ExampleParse() {
	message := []byte("\x1e{\"type\":\"next\",\"interests\":[\"Go\",\"board  games\"]}\n" +
		"\x1e{\"type\":\"wave\"}\n")
	if !record.IsControl(message) {
		return // chat, for the partner
	}
	record.Parse(message, func(cmd record.Command, refused *record.Error) bool {
		if refused != nil {
			fmt.Printf("to the client %q\n", record.AppendError(nil, refused))
			return true
		}
		fmt.Printf("%v %q\n", cmd.Kind, cmd.Interests)
		return true
	})
	// Output:
	// next ["go" "board games"]
	// to the client "\x1e{\"type\":\"error\",\"code\":\"bad_record\",\"message\":\"unknown type\"}\n"
}

// What a client does with the text messages that it receives.
func ExampleParseEvents() {
	for _, message := range []string{
		"\x1e{\"type\":\"paired\",\"pair\":1,\"common\":[\"go\"]}\n",
		"hello",
		"\x1e{\"type\":\"left\",\"pair\":1,\"reason\":\"next\"}\n\x1e{\"type\":\"online\",\"n\":12}\n",
	} {
		if !record.IsControl([]byte(message)) {
			fmt.Println("stranger:", message)
			continue
		}
		events, err := record.ParseEvents([]byte(message))
		if err != nil {
			fmt.Println(err)
		}
		for _, e := range events {
			switch e.Type {
			case record.TypePaired:
				fmt.Println("found somebody who likes", e.Common)
			case record.TypeLeft:
				fmt.Printf("gone (%s); to the server %q\n", e.Reason, record.AppendNext(nil, nil, 0))
			}
		}
	}
	// Output:
	// found somebody who likes [go]
	// stranger: hello
	// gone (next); to the server "\x1e{\"type\":\"next\"}\n"
}

func ExampleAppendNext() {
	fmt.Printf("%s", record.AppendNext(nil, []string{"go", "music"}, 0)[1:])
	fmt.Printf("%s", record.AppendNext(nil, []string{}, 7)[1:])
	fmt.Printf("%s", record.AppendNext(nil, nil, 0)[1:])
	// Output:
	// {"type":"next","interests":["go","music"]}
	// {"type":"next","interests":[],"pair":7}
	// {"type":"next"}
}

// What a client says first, and what it learns from the answer.
func ExampleAppendCommand() {
	hello := record.Command{Kind: record.Hello, Can: record.CanHeartbeat | record.CanPeople}
	fmt.Printf("%s", record.AppendCommand(nil, &hello)[1:])

	answer := []byte("\x1e{\"type\":\"hello\",\"can\":[\"heartbeat\",\"people\"],\"heartbeat\":25,\"hidden\":300,\"people\":2}\n")
	events, _ := record.ParseEvents(answer)
	fmt.Println("say something every", events[0].Terms.Heartbeat)

	next := record.Command{Kind: record.Next, HasTable: true, Table: "Ada's"}
	fmt.Printf("%s", record.AppendCommand(nil, &next)[1:])
	// Output:
	// {"type":"hello","can":["heartbeat","people"]}
	// say something every 25s
	// {"type":"next","table":"Ada's"}
}
