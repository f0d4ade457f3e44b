package chat

import "io"

func Screen(client *Client, in io.Reader, out io.Writer) error { return Lines(client, in, out) }
