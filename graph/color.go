package graph

import (
	"fmt"
	"math"
)

// rgb is a colour of the screen.
type rgb struct{ r, g, b uint8 }

func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// ink is the colour of text on c: black or white, whatever has more contrast
// by the relative luminance of WCAG 2.
func (c rgb) ink() rgb {
	l := 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
	if (l+0.05)*(l+0.05) > 0.05*1.05 {
		return rgb{0x11, 0x11, 0x11}
	}
	return rgb{0xff, 0xff, 0xff}
}

// stateColors are told apart by the colour-blind too: they are of the palette
// of M. Okabe and K. Ito, "Color Universal Design" (2008), two greys added.
var stateColors = [len(stateNames)]rgb{
	StateWaiting: {0xc4, 0xc4, 0xc4},
	StateRunning: {0xf0, 0xe4, 0x42},
	StateDone:    {0x00, 0x9e, 0x73},
	StateFailed:  {0xd5, 0x5e, 0x00},
	StateSkipped: {0xe6, 0xe6, 0xe6},
	StateCached:  {0x56, 0xb4, 0xe9},
	6:            {0xff, 0xff, 0xff},
}

// groupColors are of the same palette; groups past them are grey.
var groupColors = []rgb{
	{0x00, 0x72, 0xb2}, {0xe6, 0x9f, 0x00}, {0x00, 0x9e, 0x73}, {0xcc, 0x79, 0xa7},
	{0x56, 0xb4, 0xe9}, {0xf0, 0xe4, 0x42}, {0x8c, 0x5a, 0x2b},
}

var (
	noColor       = rgb{0xd8, 0xd8, 0xd8} // nothing to show
	constantColor = rgb{0xff, 0xff, 0xff}
	otherColor    = rgb{0x9a, 0x9a, 0x9a}
)

// rampColors are the ends and the middle of a scale that grows darker all the
// way, so that it needs no sense of hue.
var rampColors = [...]rgb{{0xff, 0xf0, 0xb3}, {0x3f, 0xa7, 0x9b}, {0x2a, 0x1a, 0x66}}

// ramp is the colour at x of the scale, from 0 to 1: the colours between are
// mixed in Oklab, where equal steps look equal (B. Ottosson, "A perceptual
// color space for image processing", 2020).
func ramp(x float64) rgb {
	if !(x > 0) { // also not a number
		return rampColors[0]
	}
	if x >= 1 {
		return rampColors[len(rampColors)-1]
	}
	x *= float64(len(rampColors) - 1)
	i := int(x)
	a, b := toOklab(rampColors[i]), toOklab(rampColors[i+1])
	for k := range a {
		a[k] += (b[k] - a[k]) * (x - float64(i))
	}
	return fromOklab(a)
}

func linear(v uint8) float64 {
	c := float64(v) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

func unlinear(c float64) uint8 {
	c = min(1, max(0, c))
	if c <= 0.0031308 {
		c *= 12.92
	} else {
		c = 1.055*math.Pow(c, 1/2.4) - 0.055
	}
	return uint8(math.Round(255 * c))
}

func toOklab(c rgb) [3]float64 {
	r, g, b := linear(c.r), linear(c.g), linear(c.b)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

func fromOklab(c [3]float64) rgb {
	l := c[0] + 0.3963377774*c[1] + 0.2158037573*c[2]
	m := c[0] - 0.1055613458*c[1] - 0.0638541728*c[2]
	s := c[0] - 0.0894841775*c[1] - 1.2914855480*c[2]
	l, m, s = l*l*l, m*m*m, s*s*s
	return rgb{
		unlinear(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		unlinear(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		unlinear(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
	}
}

// scale gives tasks their colours.
type scale struct {
	by     Color
	lo, hi float64
	log    bool
	empty  bool // there is nothing to show
}

func newScale(r *Record, by Color) scale {
	s := scale{by: by, lo: math.Inf(1), hi: math.Inf(-1)}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		v := float64(t.Order)
		if by == ByTime {
			v = float64(lasted(t))
		}
		if t.Kind == KindConst || by == ByTime && t.Attempts == 0 || by == ByOrder && t.Order < 0 {
			continue
		}
		s.lo, s.hi = min(s.lo, v), max(s.hi, v)
	}
	s.empty = s.lo > s.hi
	// Times of several sizes are shown by their logarithm, from 1 us on.
	if by == ByTime && !s.empty {
		if s.hi > 100*max(s.lo, 1e3) {
			s.log, s.lo = true, max(s.lo, 1e3)
		}
	}
	return s
}

// at is the colour of a value.
func (s scale) at(v float64) rgb {
	if s.empty {
		return noColor
	}
	lo, hi := s.lo, s.hi
	if s.log {
		v, lo, hi = math.Log(max(v, lo)), math.Log(lo), math.Log(hi)
	}
	if hi <= lo {
		return ramp(0.4)
	}
	return ramp((v - lo) / (hi - lo))
}

// value is what stands at x of the scale, from 0 to 1.
func (s scale) value(x float64) float64 {
	if s.log {
		return math.Exp(math.Log(s.lo) + x*(math.Log(s.hi)-math.Log(s.lo)))
	}
	return s.lo + x*(s.hi-s.lo)
}

// of is the colour of tasks: of several the mean of those with something to
// show.
func (s scale) of(r *Record, tasks []int) rgb {
	sum, n := 0.0, 0
	var states [len(stateNames)]int
	for _, i := range tasks {
		t := &r.Tasks[i]
		if t.Kind == KindConst {
			return constantColor
		}
		states[stateIndex(t.State)]++
		switch {
		case s.by == ByTime && t.Attempts > 0:
			sum, n = sum+float64(lasted(t)), n+1
		case s.by == ByOrder && t.Order >= 0:
			sum, n = sum+float64(t.Order), n+1
		}
	}
	if s.by == ByState {
		return stateColors[worst(states)]
	}
	if n == 0 {
		return noColor
	}
	return s.at(sum / float64(n))
}
