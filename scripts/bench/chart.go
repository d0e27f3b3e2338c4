package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The chart's size, in points, and where its logarithmic axis begins and ends,
// in powers of ten of a nanosecond.
const (
	chartWidth  vg.Length = 760
	chartHeight vg.Length = 400
	barWidth    vg.Length = 15
	firstPower            = 1
	lastPower             = 6
)

// The shades of what is written.
const (
	dark = shade(0x33)
	grey = shade(0x66)
)

// A shade is a color.Color between black and white.
type shade uint8

// RGBA makes a shade a color.Color.
func (s shade) RGBA() (r, g, b, a uint32) { return color.Gray{Y: uint8(s)}.RGBA() }

// chartTitle is the headline's first ratio.
func chartTitle(r *report) string {
	return fmt.Sprintf("A session's next request: verified %s × faster than by go-oidc", digits(r.ratio(caseRepeated, nameOIDC, nameOurs)))
}

// A series is one bar of every verifier: what one case cost it.
type series struct {
	name       string
	floor      string // the contender that nobody can beat
	ours, rest color.Color
	offset     vg.Length
}

// drawChart returns an SVG of what a repeated and a first-time token cost, ours
// beside the peers.
func drawChart(r *report) ([]byte, error) {
	p := newPlot(chartTitle(r))
	// From the bottom, as the axis goes.
	who := []string{nameAuth0, nameJWX, nameOIDC, nameGolangJWT, nameOurs, "floor"}
	for _, s := range []series{
		{caseRepeated, nameMap, color.RGBA{0x1f, 0x5a, 0x96, 0xff}, shade(0x8a), barWidth / 2},
		{caseFirstTime, nameRSA, color.RGBA{0x8f, 0xb4, 0xd9, 0xff}, shade(0xc9), -barWidth / 2},
	} {
		if err := addSeries(p, r, s, who); err != nil {
			return nil, err
		}
	}
	p.NominalY(who...)
	p.Y.Tick.Label.Font = sans(12)
	p.Y.Tick.Label.Color = dark
	p.X.Min, p.X.Max = 0, lastPower-firstPower
	p.Y.Min, p.Y.Max = -0.6, float64(len(who))-0.4
	return render(p)
}

// newPlot returns an empty plot in the chart's dress.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = title
	p.Title.TextStyle.Font = sans(16)
	p.Title.TextStyle.Color = dark
	p.Title.Padding = 8
	p.X.Label.Text = "time of one verification on a logarithmic axis; beside the bars, times as long as cfaccess"
	p.X.Label.TextStyle.Font = sans(11)
	p.X.Label.TextStyle.Color = grey
	p.X.Label.Padding = 6
	p.X.Tick.Label.Font = sans(11)
	p.X.Tick.Label.Color = grey
	p.X.Tick.Width = 0
	p.X.LineStyle.Width = 0
	p.X.Tick.Marker = powers()
	p.Y.Padding = 16 // room for fonts that are wider than ours

	grid := plotter.NewGrid()
	grid.Horizontal.Width = 0
	grid.Vertical.Color = shade(0xe4)
	p.Add(grid)
	return p
}

// addSeries adds a bar and its label for each of who.
func addSeries(p *plot.Plot, r *report, s series, who []string) error {
	ours, rest := make(plotter.Values, len(who)), make(plotter.Values, len(who))
	labels := plotter.XYLabels{XYs: make(plotter.XYs, len(who)), Labels: make([]string, len(who))}
	for i, name := range who {
		if name == "floor" {
			name = s.floor
		}
		f := r.cost(s.name, name)
		if math.IsNaN(f.NS) {
			return fmt.Errorf("the chart: no figure of %s for a %s", name, s.name)
		}
		length := math.Log10(f.NS) - firstPower
		if name == nameOurs {
			ours[i] = length
		} else {
			rest[i] = length
		}
		labels.XYs[i] = plotter.XY{X: length, Y: float64(i)}
		labels.Labels[i] = barLabel(s, f, r.cost(s.name, nameOurs))
	}
	for _, group := range []struct {
		values plotter.Values
		fill   color.Color
	}{{ours, s.ours}, {rest, s.rest}} {
		bars, err := plotter.NewBarChart(group.values, barWidth)
		if err != nil {
			return fmt.Errorf("the chart's bars: %w", err)
		}
		bars.Horizontal = true
		bars.Color = group.fill
		bars.LineStyle.Width = 0
		bars.Offset = s.offset
		p.Add(bars)
	}
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return fmt.Errorf("the chart's labels: %w", err)
	}
	for i := range texts.TextStyle {
		texts.TextStyle[i].Font = sans(10.5)
		texts.TextStyle[i].Color = dark
		texts.TextStyle[i].YAlign = draw.YCenter
	}
	texts.Offset = vg.Point{X: 5, Y: s.offset}
	p.Add(texts)
	return nil
}

// barLabel says how long it took, and how that compares with ours. Ours and
// the floor say what the two bars are, in place of a legend.
func barLabel(s series, f, ours figure) string {
	switch f.Name {
	case nameOurs:
		return duration(f.NS) + ", " + s.name
	case s.floor:
		return duration(f.NS) + ", " + s.floor
	default:
		return fmt.Sprintf("%s, %s ×", duration(f.NS), digits(f.NS/ours.NS))
	}
}

// powers are the ticks of the axis. The bars hold logarithms and the axis is
// linear, since a bar on a logarithmic one would have to begin at zero.
func powers() plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for power, label := range []string{"1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms"} {
		if power >= firstPower {
			ticks = append(ticks, plot.Tick{Value: float64(power - firstPower), Label: label})
		}
	}
	return ticks
}

func sans(points float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points)}
}

// render returns the plot as SVG.
func render(p *plot.Plot) ([]byte, error) {
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), 18, -14, 10, -12))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing the chart: %w", err)
	}
	// Where Liberation is missing, a reader would get serifs. Arial has the
	// same widths.
	svg := strings.ReplaceAll(b.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	return []byte(svg), nil
}
