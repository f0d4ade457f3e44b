package browsertest

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Type enters text into the focused element, whatever its characters, as an input
// method does.
func Type(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// Enter presses the Enter key in the focused element, with the given modifiers
// held, as a keyboard does: one event that is cancelled as a whole. (A "\n" in
// [chromedp.SendKeys] arrives as two, and a page that handles the first one still
// gets the line break of the second.)
func Enter(modifiers ...chromedp.Modifier) chromedp.Action[chromedp.Void] {
	var held int64
	for _, modifier := range modifiers {
		held |= int64(modifier)
	}
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for _, event := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"},
			{Type: input.DispatchKeyEventTypeKeyUp},
		} {
			event.Key, event.Code = "Enter", "Enter"
			event.WindowsVirtualKeyCode, event.NativeVirtualKeyCode = 13, 13
			event.Modifiers = held
			if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	})
}

// Escape presses the Escape key in the focused element.
func Escape() chromedp.Action[chromedp.Void] { return press("Escape", 27) }

// Shift presses the left Shift key, alone.
func Shift() chromedp.Action[chromedp.Void] { return press("Shift", 16) }

// press presses and releases a key that makes no text.
func press(key string, code int64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			event := input.DispatchKeyEventParams{
				Type: kind, Key: key, Code: key, WindowsVirtualKeyCode: code, NativeVirtualKeyCode: code,
			}
			if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	})
}
