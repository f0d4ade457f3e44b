package stranger

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
)

// A Picture is one binary message, and what it pretends to be.
type Picture struct {
	Description string
	Data        []byte // Size at most
	Good        bool   // a small picture that is what it says
}

// Pictures is small pictures of all kinds; these with sizes that they do not have, cut
// short, and with bits that are wrong, which the seed chooses; some that are far larger
// than their bytes, or move without end; and files that are no pictures, or others.
func Pictures(seed uint64) []Picture {
	kinds := goodPictures()
	pictures := slices.Clone(kinds)
	add := func(description string, data []byte) {
		pictures = append(pictures, Picture{Description: description, Data: data})
	}

	sides := []uint32{0, 1, 8192, 8193, 16383, 30_000, 65_535, 1<<31 - 1, 1<<32 - 1}
	for _, kind := range kinds {
		for _, width := range sides {
			for _, height := range []uint32{1, width} {
				add(fmt.Sprintf("%s of %d×%d", kind.Description, width, height), resized(kind, width, height))
			}
		}
		for n := range 8 {
			add(fmt.Sprintf("%d/8 of a %s", n, kind.Description), kind.Data[:len(kind.Data)*n/8])
		}
		random := rand.New(rand.NewPCG(seed, uint64(len(kind.Data))))
		for n := range 12 {
			broken := slices.Clone(kind.Data)
			for range 1 + random.IntN(4) {
				broken[random.IntN(len(broken))] ^= 1 << random.IntN(8)
			}
			add(fmt.Sprintf("%s, broken %d", kind.Description, n), broken)
		}
		add(kind.Description+" and a page", append(slices.Clone(kind.Data), "<script>document.title = 'owned'</script>"...))
		add(kind.Description+" and nothing", append(slices.Clone(kind.Data), make([]byte, Size-len(kind.Data))...))
	}

	add("a PNG as large as may be", emptyPNG(3464, 3464))
	add("a PNG of 400 million pixels", emptyPNG(20_000, 20_000))
	for _, frames := range []int{2, 600, 601, 2500} {
		for _, side := range []int{1, 1000, 1001, 8192, 65_535} {
			add(fmt.Sprintf("a GIF of %d frames of %d×%[2]d", frames, side), movingGIF(frames, side))
		}
	}
	larger := slices.Clone(movingGIF(1, 1))
	copy(larger[27+5:], "\xff\x7f\xff\x7f") // its frame, but not its screen
	add("a GIF with a frame of a billion pixels", larger)
	for _, frames := range []uint32{2, 601, 1<<32 - 1} {
		control := binary.BigEndian.AppendUint32(nil, frames)
		add(fmt.Sprintf("a PNG of %d frames", frames), slices.Concat(kinds[0].Data[:33], chunk("acTL", append(control, 0, 0, 0, 0)), kinds[0].Data[33:]))
	}
	add("a JPEG of a thousand scans", manyScans(1000))
	add("a JPEG with lengths of zero", append([]byte("\xff\xd8"), bytes.Repeat([]byte("\xff\xe0\x00\x00"), 1000)...))
	add("a JPEG of padding", append([]byte("\xff\xd8"), bytes.Repeat([]byte{0xff}, Size-2)...))

	for _, other := range []string{"", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "\xef\xbb\xbf<svg/>", "<?xml version='1.0'?><svg/>", "<script>alert(1)</script>",
		"GIF89a", "GIF89a=1;<script>alert(1)</script>", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "RIFF\x00\x00\x00\x00WEBPVP8X", "\x1f\x8b\x08", "BM\x00\x00", "\x00\x00\x01\x00\x01\x00", "II*\x00", "%PDF-1.7",
		"\x00\x00\x00\x1cftypavif", "\x00\x00\x00\x0cJXL \r\n\x87\n", "\x1e{\"type\":\"left\",\"pair\":1}"} {
		add(fmt.Sprintf("a file %.20q", other), []byte(other))
		add(fmt.Sprintf("a file %.20q and nothing", other), append([]byte(other), make([]byte, 1000)...))
	}
	return pictures
}

// goodPictures is one small picture of each kind.
func goodPictures() []Picture {
	small := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})
	encoded := func(encode func(*bytes.Buffer) error) []byte {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			panic(err) // nothing can go wrong in memory
		}
		return b.Bytes()
	}
	decoded := func(text string) []byte {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			panic(err)
		}
		return data
	}
	return []Picture{
		{"PNG", encoded(func(b *bytes.Buffer) error { return png.Encode(b, small) }), true},
		{"GIF", encoded(func(b *bytes.Buffer) error { return gif.Encode(b, small, nil) }), true},
		{"JPEG", encoded(func(b *bytes.Buffer) error { return jpeg.Encode(b, small, nil) }), true},
		{"WebP, lossless", decoded("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="), true},
		{"WebP, lossy", decoded("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"), true},
	}
}

// resized is picture with another size where its header tells it, as far as it can.
func resized(picture Picture, width, height uint32) []byte {
	data := slices.Clone(picture.Data)
	switch picture.Description {
	case "PNG":
		binary.BigEndian.PutUint32(data[16:], width)
		binary.BigEndian.PutUint32(data[20:], height)
		binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	case "GIF":
		binary.LittleEndian.PutUint16(data[6:], uint16(width))
		binary.LittleEndian.PutUint16(data[8:], uint16(height))
	case "JPEG":
		at := bytes.Index(data, []byte{0xff, 0xc0})
		binary.BigEndian.PutUint16(data[at+5:], uint16(height))
		binary.BigEndian.PutUint16(data[at+7:], uint16(width))
	case "WebP, lossless":
		binary.LittleEndian.PutUint32(data[21:], (width-1)&0x3fff|(height-1)&0x3fff<<14)
	case "WebP, lossy":
		binary.LittleEndian.PutUint16(data[26:], uint16(width)&0x3fff)
		binary.LittleEndian.PutUint16(data[28:], uint16(height)&0x3fff)
	}
	return data
}

// emptyPNG is a black picture of 1 bit a pixel: some thousand times smaller than what it becomes.
func emptyPNG(width, height int) []byte {
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	var rows bytes.Buffer
	w := zlib.NewWriter(&rows)
	row := make([]byte, 1+(width+7)/8)
	for range height {
		w.Write(row) // into memory
	}
	w.Close()
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 1, 0, 0, 0, 0)), chunk("IDAT", rows.Bytes()), chunk("IEND", nil))
}

// chunk is a chunk of a PNG.
func chunk(name string, data []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, name...), data...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}

// movingGIF is frames of one pixel each, on a screen of this width and height.
func movingGIF(frames, side int) []byte {
	picture := []byte("GIF89a\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	binary.LittleEndian.PutUint16(picture[6:], uint16(side))
	binary.LittleEndian.PutUint16(picture[8:], uint16(side))
	for range frames {
		picture = append(picture, "\x21\xf9\x04\x04\x02\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00"...)
	}
	return append(picture, 0x3b)
}

// manyScans is a progressive JPEG (ITU T.81, annex G) that goes over all of 3000×3000
// pixels in every scan, of which each says in some bytes that there is nothing to add.
func manyScans(scans int) []byte {
	const side, blocks = 3000, 375 * 375
	data := []byte("\xff\xd8\xff\xdb\x00\x43\x00")
	data = append(data, bytes.Repeat([]byte{1}, 64)...)
	data = append(data, 0xff, 0xc2, 0, 11, 8, side>>8, side&0xff, side>>8, side&0xff, 1, 1, 0x11, 0)
	// One code of one bit: that the following 32767 blocks, at most, are at their end.
	data = append(data, 0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0)
	var entropy []byte
	free := 0 // bits of the last byte
	put := func(bits, n int) {
		for n--; n >= 0; n-- {
			if free == 0 {
				if len(entropy) > 0 && entropy[len(entropy)-1] == 0xff {
					entropy = append(entropy, 0)
				}
				entropy, free = append(entropy, 0), 8
			}
			free--
			entropy[len(entropy)-1] |= byte(bits>>n&1) << free
		}
	}
	for left := blocks; left > 0; left -= 1 << 14 {
		put(0, 1)
		put(0, 14) // 1<<14 blocks
	}
	for range scans {
		data = append(data, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0)
		data = append(data, entropy...)
	}
	return append(data, 0xff, 0xd9)
}
