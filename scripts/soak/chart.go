package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/table"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The chart's size in points, and the room that a label needs.
const (
	chartWidth  vg.Length = 860
	chartHeight vg.Length = 420
	labelSize             = 8.5
	// leastBand is how much of the width a band needs for its label.
	leastBand = 0.0105
)

const chartTitle = "Answers a second of four servers, and what was wrong with the certs endpoint"

// The shades of what is written.
const (
	dark = shade(0x33)
	grey = shade(0x66)
)

// A shade is a color.Color between black and white.
type shade uint8

// RGBA makes a shade a color.Color.
func (s shade) RGBA() (r, g, b, a uint32) { return color.Gray{Y: uint8(s)}.RGBA() }

// drawChart returns an SVG of the run: answers a second over the faults.
func drawChart(r *report) ([]byte, error) {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = chartTitle
	p.Title.TextStyle.Font = sans(15)
	p.Title.TextStyle.Color = dark
	p.Title.Padding = 6
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Label.Font = sans(11)
		axis.Tick.Label.Color = grey
		axis.Label.TextStyle.Font = sans(11)
		axis.Label.TextStyle.Color = grey
		axis.LineStyle.Width = 0
		axis.Tick.Width = 0
	}
	p.X.Label.Text = "seconds; a band is a fault, its paler part the time to recover; in the gap nobody sends anything"
	p.X.Label.Padding = 4

	lines := chartLines(r)
	top := 1.0
	for _, line := range lines {
		for _, point := range line.points {
			top = max(top, point.Y)
		}
	}
	p.X.Min, p.X.Max = 0, r.length.Seconds()
	p.Y.Min, p.Y.Max = 0, top*1.6 // the names' room is above the lines
	p.Y.Tick.Marker = ticksUpTo(top)
	p.X.Tick.Marker = ticksUpTo(p.X.Max)
	if err := addBands(p, r); err != nil {
		return nil, err
	}
	for i, line := range lines {
		if err := line.add(p, p.X.Max*(0.01+0.09*float64(i)), top*1.1); err != nil {
			return nil, err
		}
	}
	return render(p)
}

// A chartLine is one kind of answers.
type chartLine struct {
	name   string
	stroke color.Color
	points plotter.XYs
}

// chartLines are what was answered in each whole second.
func chartLines(r *report) []chartLine {
	lines := []chartLine{
		{name: "accepted", stroke: color.RGBA{0x1f, 0x5a, 0x96, 0xff}},
		{name: "refused", stroke: color.RGBA{0xc0, 0x6a, 0x12, 0xff}},
		{name: "503", stroke: color.RGBA{0xb0, 0x1e, 0x2e, 0xff}},
	}
	for i, s := range r.tally.seconds {
		if time.Duration(i+1)*time.Second > r.length {
			break
		}
		for j, n := range []int{s.Accepted, s.Refused, s.Unavailable} {
			lines[j].points = append(lines[j].points, plotter.XY{X: float64(i) + 0.5, Y: float64(n)})
		}
	}
	return lines
}

// add draws the line, and writes its name in its colour in place of a legend.
func (l chartLine) add(p *plot.Plot, x, y float64) error {
	line, err := plotter.NewLine(l.points)
	if err != nil {
		return fmt.Errorf("the chart's lines: %w", err)
	}
	line.Color, line.Width = l.stroke, vg.Points(1.6)
	p.Add(line)
	name, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{l.name}})
	if err != nil {
		return fmt.Errorf("the chart's names: %w", err)
	}
	name.TextStyle[0].Font, name.TextStyle[0].Color = sans(12), l.stroke
	p.Add(name)
	return nil
}

// addBands adds the faults, each with its name along the top where there is room.
func addBands(p *plot.Plot, r *report) error {
	names := plotter.XYLabels{}
	for _, b := range r.bands {
		fill := color.Color(color.RGBA{0xe3, 0xe9, 0xf0, 0xff})
		pale := color.Color(color.RGBA{0xf3, 0xf5, 0xf8, 0xff})
		if b.fault.fails() {
			fill, pale = color.RGBA{0xf3, 0xd9, 0xc4, 0xff}, color.RGBA{0xfb, 0xf3, 0xec, 0xff}
		}
		for _, part := range []struct {
			from, to time.Duration
			fill     color.Color
		}{{b.begin, b.end, fill}, {b.end, b.over, pale}} {
			if err := addBox(p, part.from.Seconds(), part.to.Seconds(), part.fill); err != nil {
				return err
			}
		}
		if (b.over - b.begin).Seconds() >= leastBand*r.length.Seconds() {
			names.XYs = append(names.XYs, plotter.XY{X: (b.begin + b.over).Seconds() / 2, Y: p.Y.Max * 0.99})
			names.Labels = append(names.Labels, b.fault.name)
		}
	}
	if len(names.XYs) == 0 {
		return nil
	}
	labels, err := plotter.NewLabels(names)
	if err != nil {
		return fmt.Errorf("the chart's labels: %w", err)
	}
	for i := range labels.TextStyle {
		style := &labels.TextStyle[i]
		style.Font, style.Color = sans(labelSize), dark
		style.Rotation = math.Pi / 2
		style.XAlign, style.YAlign = draw.XRight, draw.YCenter
	}
	p.Add(labels)
	return nil
}

// addBox fills the plot from one second to another.
func addBox(p *plot.Plot, from, to float64, fill color.Color) error {
	if to <= from {
		return nil
	}
	box, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: 0}, {X: to, Y: 0}, {X: to, Y: p.Y.Max}, {X: from, Y: p.Y.Max}})
	if err != nil {
		return fmt.Errorf("the chart's bands: %w", err)
	}
	box.Color = fill
	// White, so that faults of a kind that follow each other are two.
	box.LineStyle = draw.LineStyle{Color: color.White, Width: vg.Points(0.6)}
	p.Add(box)
	return nil
}

// ticksUpTo labels an axis up to a value, in four to ten steps: above it, the
// names of the faults have the room.
func ticksUpTo(top float64) plot.ConstantTicks {
	step := math.Pow(10, math.Floor(math.Log10(top)))
	switch {
	case top/step < 2:
		step /= 5
	case top/step < 4:
		step /= 2
	}
	var ticks plot.ConstantTicks
	for y := 0.0; y <= top; y += step {
		ticks = append(ticks, plot.Tick{Value: y, Label: table.Thousands(int(y))})
	}
	return ticks
}

func sans(points float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points)}
}

// render returns the plot as SVG.
func render(p *plot.Plot) ([]byte, error) {
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), 14, -14, 10, -10))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("drawing the chart: %w", err)
	}
	// Where Liberation is missing, a reader would get serifs. Arial has the
	// same widths.
	svg := strings.ReplaceAll(b.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	return []byte(svg), nil
}
