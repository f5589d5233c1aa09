package feed

import (
	"strings"
	"time"
)

// channels are the neutral feed's words for how a person came.
var channels = map[string]string{
	"counter":  "on_site_unplanned",
	"phone":    "phone",
	"remote":   "video",
	"outreach": "outside",
}

// themes are those of the published language for the first part of a service's
// code, which is the basket's own vocabulary. A part that is about several
// themes, or about none of them, is left out: courrier, autre.
var themes = map[string]string{
	"activite-independante": "work_training",
	"emploi-formation":      "work_training",
	"impots-argent":         "money_tax",
	"justice":               "justice",
	"logement":              "housing",
	"papiers-titres":        "papers_citizenship",
	"retraite":              "retirement",
	"sante-handicap":        "social_health",
	"social-famille":        "social_health",
}

func themeOf(service string) string {
	part, _, _ := strings.Cut(service, "/")
	return themes[part]
}

// durationBand is the band of a visit of that many minutes.
func durationBand(minutes int) string {
	switch {
	case minutes <= 10:
		return "to_10"
	case minutes <= 20:
		return "to_20"
	case minutes <= 40:
		return "to_40"
	case minutes <= 60:
		return "to_60"
	}
	return "over_60"
}

// halfDay is the half of t's own day.
func halfDay(t time.Time) string {
	if t.Hour() < 12 {
		return "morning"
	}
	return "afternoon"
}
