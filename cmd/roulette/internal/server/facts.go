package server

import (
	"context"
	"log/slog"

	"roulette/cmd/roulette/internal/safety"
	"roulette/web"
)

// facts is what people can read about the server, by the settings in force now.
func (s *Server) facts() web.Facts {
	settings := s.Settings()
	f := web.Facts{
		Cluster:       s.cluster != nil,
		ProxyAddress:  len(settings.TrustedProxies) > 0,
		MaxMessage:    settings.MaxMessageSize,
		MessageRate:   settings.MessageRate,
		LongestBan:    safety.MaxTime,
		Written:       s.bans.Lasting(),
		AddressLogged: s.log.Enabled(context.Background(), slog.LevelDebug),
		Appeal:        s.config.Appeal,
	}
	if settings.MaxAway > 0 {
		f.Away, f.AwayHidden = settings.ResumeGrace, settings.ResumeHiddenGrace
	}
	if s.config.Safety != safety.Off {
		f.Safety, f.Observe = true, s.config.Safety == safety.Observe
		f.Cookie, f.SecureCookie, f.CookieLasts = plainCookie, secureCookie, safety.CookieLasts
		f.HalfLife, f.LongHalfLife = safety.HalfLife, safety.WeightAge
		f.Reports, f.ReportLines, f.ReportsKept = s.config.Reports != nil, safety.MaxLines, safety.Keep
	}
	return f
}
